"""EMVD as a processor runs it fastest: the same numbers as the network's own."""

import pytest
import torch
from helpers.emvd_samples import SMALL, turned
from torch import Tensor, nn

from ncfl.common.errors import InputError
from ncfl.methods.common import Reflecting
from ncfl.methods.emvd.method import EMVDMethod
from ncfl.methods.emvd.model import EMVD, EMVDState, stage
from ncfl.methods.emvd.on_processor import MapStage, ProcessorEMVD


def noise(*shape: int, seed: int = 0) -> Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed))


def both(model: EMVD) -> tuple[EMVDMethod, EMVDMethod]:
    """Driven in the form for processors, and driven plain, over the same weights."""
    fast, plain = (EMVDMethod(model, channels_last=True, fold=fold) for fold in (True, False))
    assert isinstance(fast.running, ProcessorEMVD)
    assert plain.running is plain.model is fast.model is model
    return fast, plain


@pytest.fixture
def model() -> EMVD:
    torch.manual_seed(0)
    return turned(EMVD(**SMALL)).eval()


@pytest.mark.parametrize("size", [(24, 32), (19, 29), (33, 46), (16, 17)])
def test_a_clip_is_restored_as_by_the_network_itself(model: EMVD, size: tuple[int, int]):
    fast, plain = both(model)
    sigma, found, wanted = torch.tensor([20.0, 50.0]), None, None
    for t in range(4):
        frame = noise(2, 3, *size, seed=t)
        with torch.inference_mode():
            restored, found = fast.step(frame, found, sigma)
            expected, wanted = plain.step(frame, wanted, sigma)
        torch.testing.assert_close(restored, expected, rtol=0, atol=1e-5)
        torch.testing.assert_close(found.fused, wanted.fused, rtol=0, atol=1e-5)
        torch.testing.assert_close(found.variance, wanted.variance, rtol=1e-5, atol=0)


@pytest.mark.parametrize(("channels", "scales"), [(3, 1), (3, 2), (4, 3)])
def test_other_networks(channels: int, scales: int):
    torch.manual_seed(0)
    fast, plain = both(EMVD(channels=channels, scales=scales, **SMALL))
    first, second = noise(2, 1, channels, 24, 40)
    sigma = torch.tensor([30.0])
    with torch.inference_mode():
        state = plain.step(first, None, sigma)[1]
        restored, expected = (method.step(second, state, sigma)[0] for method in (fast, plain))
    torch.testing.assert_close(restored, expected, rtol=0, atol=1e-5)


def test_sizes_and_clips_alternate_and_states_stay_as_they_were(model: EMVD):
    fast, plain = both(model)
    sigma = torch.tensor([30.0])
    frames = [noise(1, 3, 24, 32), noise(1, 3, 40, 24)]
    with torch.no_grad():
        states = [fast.step(frame, None, sigma)[1] for frame in frames]
        states = [fast.step(frame, state, sigma)[1] for frame, state in zip(frames, states, strict=True)]
        kept = [EMVDState(*(x.clone() for x in state)) for state in states]
    with torch.inference_mode():  # with memory from outside of this mode
        found = [fast.step(frame, state, sigma)[0] for frame, state in zip(frames, states, strict=True)]
        wanted = [plain.step(frame, state, sigma)[0] for frame, state in zip(frames, kept, strict=True)]
    with torch.no_grad():
        fast.step(frames[1], states[1], sigma)
    torch.testing.assert_close(found, wanted, rtol=0, atol=1e-5)
    torch.testing.assert_close(states, kept, rtol=0, atol=0)


@pytest.mark.parametrize("size", [(4, 8), (6, 5), (5, 8), (7, 3)])
def test_a_map_block_by_block(size: tuple[int, int]):
    torch.manual_seed(0)
    layers = stage(5, (2, 6), 1)
    x = noise(2, 5, *size)
    with torch.no_grad():
        found = MapStage(layers)(x.permute(0, 2, 3, 1).contiguous())
        torch.testing.assert_close(found, layers(x).permute(0, 2, 3, 1))


def test_bad_input_is_refused_as_by_the_network(model: EMVD):
    fast = ProcessorEMVD(model)
    state = EMVDState(torch.zeros(1, 12, 12, 16), torch.zeros(1, 1, 12, 16))
    with pytest.raises(InputError, match=r"bands: expected \[1, 12, 12, 16\], as the state has, got \[1, 12, 16, 16\]"):
        fast(torch.zeros(1, 3, 32, 32), torch.ones(1), state)
    with pytest.raises(InputError, match=r"sigma: expected one noise level per clip, \[1\], got none"):
        fast(torch.zeros(1, 3, 24, 32), None, state)
    with pytest.raises(InputError, match=r"expected frames of shape \[B,3,H,W\], got "):
        fast(torch.zeros(1, 4, 24, 32), torch.ones(1), state)


@pytest.mark.parametrize("size", [(7, 9), (8, 9), (7, 8), (8, 8)])
def test_mirroring_with_channels_last_is_mirroring(size: tuple[int, int]):
    x, padder = noise(2, 3, *size), Reflecting(*size, 4)
    last = padder.pad(x.contiguous(memory_format=torch.channels_last))
    assert torch.equal(last, padder.pad(x))
    assert last.is_contiguous(memory_format=torch.channels_last)
    assert torch.equal(padder.crop(last), x)


def test_a_plain_order_of_memory_runs_the_network_itself(model: EMVD):
    method = EMVDMethod(model)
    assert method.running is method.model
    assert isinstance(method.model, nn.Module)
