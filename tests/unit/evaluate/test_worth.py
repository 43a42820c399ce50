"""What a memory is worth, against a method whose memory is known by construction."""

from typing import Any

import numpy as np
import pytest
import torch
from helpers.protocol_samples import plain_store
from torch import Tensor

from ncfl.data.store import ClipStore
from ncfl.evaluate.worth import FIRST, worth_of_memory
from ncfl.methods.median.method import Median
from ncfl.methods.ncfl.method import NCFLMethod
from ncfl.models.variants import m_d


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> ClipStore:
    return plain_store(tmp_path_factory.mktemp("store") / "set8")


class Halving:
    """With a past it gives half of the frame's distance from gray back, without one the whole."""

    name, blind, channels = "halving", True, None

    def __init__(self) -> None:
        self.fed: list[tuple[Tensor, Any]] = []

    def step(self, frame: Tensor, state: Any, sigma: Tensor | None) -> tuple[Tensor, Any]:
        self.fed.append((frame, state))
        return (frame if state is None else 0.5 + (frame - 0.5) / 2), "a past"


def measured(method: Any, store: ClipStore, **changed: Any) -> Any:
    return worth_of_memory(
        **{"method": method, "store": store, "dataset": "set8", "split": "test", "sigmas": [10, 50], "max_frames": None,
           "seed": 7} | changed
    )  # fmt: skip


def test_the_gain_over_an_emptied_memory(store: ClipStore):
    method = Halving()
    found = measured(method, store, max_frames=7)
    expected: dict[str, list[float]] = {"10": [], "50": []}
    fed = iter(method.fed)
    for clip in store.split("test"):
        count, of_clip = min(clip.shape[0], 7), {"10": [], "50": []}
        for t in range(count):
            frames, state = next(fed)
            assert (state is None) == (t == 0)
            if t < min(FIRST, count - 1):
                continue
            single, empty = next(fed)
            assert empty is None
            assert torch.equal(single, frames)
            clean = clip.unit(clip.frames[t]).transpose(2, 0, 1)
            for name, noisy in zip(expected, frames.numpy(), strict=True):
                error = np.mean((noisy.clip(0, 1) - clean) ** 2)
                with_past = np.mean(((0.5 + (noisy - 0.5) / 2).clip(0, 1) - clean) ** 2) if t else error
                of_clip[name].append(10 * np.log10(error / with_past))
        for name in expected:
            expected[name].append(np.mean(of_clip[name]))
    assert {name: row["worth"] for name, row in found.items()} == pytest.approx(
        {name: np.mean(values) for name, values in expected.items()}, abs=1e-3
    )
    assert set(found["50"]) == {"worth"}


def test_what_a_memory_costs_is_reported_where_it_is_quantized(store: ClipStore):
    torch.manual_seed(0)
    sizes = {"unet_widths": (4, 4, 8, 8, 8), "feature_width": 4, "mv_width": 4, "latent_width": 4, "flow_width": 0.125}
    found = measured(NCFLMethod(m_d(**sizes).eval(), name="m_d"), store, sigmas=[50], max_frames=3)["50"]
    assert found["worth"] == 0  # its last convolution is zero at the start: it gives the frame back
    assert found["bits_per_pixel"] > 0
    assert 0 <= found["nonzero"] <= 1


def test_methods_without_a_memory_have_no_worth(store: ClipStore):
    assert measured(Median(3), store) is None
