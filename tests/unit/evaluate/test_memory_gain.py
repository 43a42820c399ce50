"""What a memory is worth, against a method whose memory is known by construction."""

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from ncfl.data.store import ClipStore
from ncfl.evaluate.memory_gain import FIRST, memory_gain
from ncfl.methods.median.method import Median
from ncfl.methods.ncfl.method import NCFLMethod
from ncfl.models.variants import m_d


class Halving:
    """With a past it gives half of the frame's distance from gray back, without one the whole."""

    name, blind, channels = "halving", True, None

    def __init__(self) -> None:
        self.fed: list[tuple[Tensor, Any]] = []

    def step(self, frame: Tensor, state: Any, sigma: Tensor | None) -> tuple[Tensor, Any]:
        self.fed.append((frame, state))
        return (frame if state is None else 0.5 + (frame - 0.5) / 2), "a past"


def measured(method: Any, store: ClipStore, **changed: Any) -> Any:
    return memory_gain(
        **{
            "method": method,
            "store": store,
            "dataset": "set8",
            "split": "test",
            "sigmas": [10, 50],
            "max_frames": None,
            "seed": 7,
        }
        | changed
    )


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


def test_the_gain_by_range_of_motion(store: ClipStore):
    """Halves of a frame move apart: each is as well restored as its own pixels are, summed up over all clips."""
    left, asked = 0.4, []

    def motion(number: int, t: int) -> np.ndarray:
        asked.append((number, t))
        height, width = store.split("test")[number].shape[1:3]
        flow = np.zeros((height, width, 2), np.float32)
        flow[:, : round(left * width)] = (3.0, -4.0)  # 5 pixels
        return flow

    method = Halving()
    found = measured(method, store, sigmas=[50], max_frames=7, motion=motion)["50"]
    sums, fed, expected = np.zeros((2, 2)), iter(method.fed), []
    for number, clip in enumerate(store.split("test")):
        count = min(clip.shape[0], 7)
        for t in range(count):
            frame = next(fed)[0][0].numpy().transpose(1, 2, 0)
            if t < min(FIRST, count - 1):
                continue
            next(fed)
            if not t:
                continue
            expected.append((number, t))
            clean = clip.unit(clip.frames[t])
            for i, seen in enumerate((0.5 + (frame - 0.5) / 2, frame)):
                squares = ((seen.clip(0, 1) - clean) ** 2).mean(2)
                edge = round(left * squares.shape[1])
                sums[i] += squares[:, :edge].sum(), squares[:, edge:].sum()
    fast, still = 10 * np.log10(sums[1] / sums[0])
    assert asked == expected
    assert found["by_motion"] == pytest.approx({"0 to 1 px": still, "3 to 12 px": fast}, abs=1e-3)


def test_what_a_memory_costs_is_reported_where_it_is_quantized(store: ClipStore):
    torch.manual_seed(0)
    sizes = {"unet_widths": (4, 4, 8, 8, 8), "feature_width": 4, "mv_width": 4, "latent_width": 4, "flow_width": 0.125}
    found = measured(NCFLMethod(m_d(**sizes).eval(), name="m_d"), store, sigmas=[50], max_frames=3)["50"]
    assert found["worth"] == 0  # its last convolution is zero at the start: it gives the frame back
    assert found["bits_per_pixel"] > 0
    assert 0 <= found["nonzero"] <= 1


def test_methods_without_a_memory_have_no_worth(store: ClipStore):
    assert measured(Median(3), store) is None
