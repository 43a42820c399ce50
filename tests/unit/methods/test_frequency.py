"""Convolutions as products of spectra: the same numbers, the network left as it was."""

import pytest
import torch
from torch import Tensor, nn

from ncfl.methods.frequency import TILE, FrequencyConv, with_spectra
from ncfl.methods.spaccnn.model import SpacCNN, SpacCNNMethod


def noise(*shape: int) -> Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("size", [(3, 5), (TILE - 10, TILE - 10), (TILE - 9, 61), (131, 173)])
@pytest.mark.parametrize("bias", [False, True])
def test_a_convolution_by_its_spectrum(size: tuple[int, int], bias: bool):
    torch.manual_seed(0)
    conv, x = nn.Conv2d(5, 7, 11, padding=5, bias=bias), noise(2, 5, *size) - 0.5
    for given in (x, x.contiguous(memory_format=torch.channels_last)):
        found = FrequencyConv(conv)(given)
        torch.testing.assert_close(found, conv(x).detach(), rtol=0, atol=1e-5)
        assert found.is_contiguous(memory_format=torch.channels_last)


def test_many_tiles_in_parts():
    torch.manual_seed(0)
    conv, x = nn.Conv2d(1, 2, 9, padding=4), noise(1, 1, 3 * TILE, 30 * TILE)
    torch.testing.assert_close(FrequencyConv(conv)(x), conv(x).detach(), rtol=0, atol=1e-5)


def test_large_convolutions_alone_are_replaced_and_the_rest_is_shared():
    network = nn.Sequential(
        nn.Conv2d(1, 2, 11, padding=5),
        nn.Conv2d(2, 2, 11, padding=4),
        nn.Conv2d(2, 2, 11, padding=5, stride=2),
        nn.Conv2d(2, 2, 11, padding=5, groups=2),
        nn.Conv2d(2, 2, 11, padding=5, padding_mode="reflect"),
        nn.Conv2d(2, 2, 3, padding=1),
    )
    faster = with_spectra(network)
    assert [isinstance(layer, FrequencyConv) for layer in faster] == [True, *[False] * 5]
    assert all(isinstance(layer, nn.Conv2d) for layer in network)
    assert all(a.weight is b.weight for a, b in zip(faster[1:], network[1:], strict=True))


@pytest.mark.parametrize("size", [(16, 16), (37, 70)])
def test_spaccnn_restores_the_same(size: tuple[int, int]):
    torch.manual_seed(0)
    model = SpacCNN(radius=2, matches=3)
    nn.init.normal_(model.convs[-1].weight, std=0.1)  # which starts at zero
    fast, plain = (SpacCNNMethod(model, channels_last=True, fold=fold) for fold in (True, False))
    assert isinstance(fast.running.convs[0], FrequencyConv)
    assert plain.running is plain.model is fast.model is model
    frames = noise(2, 5, 3, *size)
    with torch.inference_mode():
        torch.testing.assert_close(fast.apply(frames, None), plain.apply(frames, None), rtol=0, atol=1e-5)
    assert SpacCNNMethod(model).running is model
