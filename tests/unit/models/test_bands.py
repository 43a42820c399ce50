"""The network in bands of rows against the network as a whole."""

from itertools import pairwise

import pytest
import torch
from helpers import tiny_networks

from ncfl.common.errors import InputError
from ncfl.methods.interface import stream
from ncfl.methods.ncfl.method import LARGE, NCFLMethod
from ncfl.models import bands
from ncfl.models.ncfl import State
from ncfl.models.variants import VARIANTS, m_f, ncfl_adapq

SMALL = {**tiny_networks.SMALL, "attention_blocks": 2}


@pytest.fixture(autouse=True)
def _narrow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bands, "ROWS", 16)


def stirred(model: torch.nn.Module) -> torch.nn.Module:
    """With every path alive, and motion of several pixels."""
    torch.manual_seed(0)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.05 * torch.randn_like(parameter))
        for level in model.motion.levels:
            level[-1].bias.copy_(torch.tensor([0.7, -1.3]))
    return model.eval()


@pytest.mark.parametrize("name", [name for name in VARIANTS if name.startswith(("m_", "w_"))])
@pytest.mark.parametrize("order", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("reduction", [1, 2])
def test_bands_give_what_the_whole_gives(name: str, order: torch.memory_format, reduction: int):
    model = stirred(VARIANTS[name](**SMALL, flow_reduction=reduction)).to(memory_format=order)
    frames = torch.rand(3, 1, 3, 109, 50, generator=torch.Generator().manual_seed(1))
    whole = banded = None
    for frame in frames:
        frame = frame.contiguous(memory_format=order)
        with torch.inference_mode():
            step = model(frame, whole)
        found = bands.forward_in_bands(model, frame, banded)
        torch.testing.assert_close(found.y_tilde, step.y_tilde, rtol=0, atol=2e-5)
        torch.testing.assert_close(found.state.c_t, step.state.c_t, rtol=0, atol=2e-5)
        if step.bits is not None:
            torch.testing.assert_close(found.bits, step.bits, rtol=1e-4, atol=0)
        whole, banded = step.state, found.state


def test_seams_depend_on_the_rows_beside_a_band(monkeypatch: pytest.MonkeyPatch):
    """Without them the comparison above would fail."""
    model = stirred(m_f(**SMALL))
    frame = torch.rand(1, 3, 112, 48)
    whole = model(frame).y_tilde
    right = bands.banded
    monkeypatch.setattr(bands, "banded", lambda *of, halo: right(*of, halo=0))
    assert (bands.forward_in_bands(model, frame).y_tilde - whole).abs().max() > 1e-3


def test_a_stream_in_bands_uses_its_states_up_and_a_step_does_not():
    model, frames = stirred(m_f(**SMALL)), [*torch.rand(3, 1, 3, 64, 48)]
    method = NCFLMethod(model)
    whole = [*stream(method, frames)]
    method.bands = "on"
    for found, expected in zip(stream(method, frames), whole, strict=True):
        torch.testing.assert_close(found, expected, rtol=0, atol=2e-5)
    with torch.inference_mode():
        _, state = method.step(frames[0], None, None)
        again = [method.step(frames[1], state, None)[0] for _ in range(2)]
        assert torch.equal(*again)
        method.step_on(frames[1], state, None)
    assert state.c_t.untyped_storage().nbytes() == 0


def test_bands_are_chosen_by_size_and_for_this_network_alone():
    small, large = torch.empty(1, 3, 1080, 1920, device="meta"), torch.empty(1, 3, 1800, 2708, device="meta")
    assert small[0, 0].numel() <= LARGE < large[0, 0].numel()
    method = NCFLMethod(m_f(**SMALL))
    assert [method.in_bands(frame) for frame in (small, large)] == [False, True]
    for way, chosen in (("on", True), ("off", False)):
        method.bands = way
        assert [method.in_bands(frame) for frame in (small, large)] == [chosen, chosen]
    codec = NCFLMethod(ncfl_adapq(feature_width=8, latent_width=8))
    assert not codec.in_bands(large)


def test_frames_and_states_that_do_not_fit_are_refused():
    model = m_f(**SMALL)
    with pytest.raises(InputError, match="expected frames of 16x16 pixels or more, got 20x15"):
        bands.forward_in_bands(model, torch.rand(1, 3, 15, 20))
    state = State(torch.rand(1, 3, 32, 32), torch.rand(1, 8, 32, 32))
    with pytest.raises(InputError, match=r"frame: expected shape \[1, 3, 32, 32\], .*, got \[1, 3, 48, 32\]"):
        bands.forward_in_bands(model, torch.rand(1, 3, 48, 32), state)


def test_bands_cover_every_row_once():
    x = torch.arange(100.0).reshape(1, 1, 100, 1)
    seen = []

    def rows_of(first: int, last: int) -> torch.Tensor:
        seen.append((first, last))
        return x[:, :, first:last]

    assert torch.equal(bands.banded(lambda part: part * 2, rows_of, 100, halo=3), x * 2)
    assert (seen[0], seen[-1]) == ((0, 19), (93, 100))
    assert all(after[0] - before[0] in (13, 16) for before, after in pairwise(seen))
