"""Folding batch normalizations into convolutions: the same numbers from fewer layers, the network left as it was."""

import copy

import pytest
import torch
from helpers.small_methods import trained_norms
from torch import nn

from ncfl.methods.dvdnet.model import DVDNet, DVDNetMethod
from ncfl.methods.fastdvdnet.model import FastDVDNet, FastDVDNetMethod
from ncfl.methods.folding import folded
from ncfl.methods.interface import stream
from ncfl.methods.msbdn.model import MSBDN, MSBDNMethod
from ncfl.methods.vnlnet.model import VNLNet, VNLNetMethod

METHODS = {
    "fastdvdnet": (lambda: FastDVDNet(), FastDVDNetMethod),
    "dvdnet": (lambda: DVDNet(), DVDNetMethod),
    "vnlnet": (lambda: VNLNet(channels=3, past=1, future=1, search=3, patch=3), VNLNetMethod),
}


@pytest.fixture(params=METHODS)
def published(request: pytest.FixtureRequest) -> tuple[nn.Module, type]:
    build, driver = METHODS[request.param]
    torch.manual_seed(0)
    return trained_norms(build()), driver


def test_a_method_gives_the_same_from_fewer_layers(published: tuple[nn.Module, type]):
    network, driver = published
    clip = torch.rand(1, 3, 3, 32, 36, generator=torch.Generator().manual_seed(0)).unbind(1)
    plain, light = driver(network, fold=False), driver(network)
    assert not any(isinstance(module, nn.BatchNorm2d) for module in light.running.modules())
    wanted, found = (torch.stack(list(stream(method, clip, 25.0))) for method in (plain, light))
    torch.testing.assert_close(found, wanted, rtol=1e-5, atol=1e-5)


def test_the_network_stays_as_it_was(published: tuple[nn.Module, type]):
    network, driver = published
    before = copy.deepcopy(network.state_dict())
    method = driver(network)
    assert method.model is network
    torch.testing.assert_close(network.state_dict(), before, rtol=0, atol=0)
    assert driver(network, fold=False).running is network


def test_all_but_the_folded_weights_is_shared(published: tuple[nn.Module, type]):
    network, _ = published
    own = {tensor.data_ptr() for tensor in network.parameters()}
    others = [tensor for tensor in folded(network).parameters() if tensor.data_ptr() not in own]
    normalized = sum(isinstance(module, nn.BatchNorm2d) for module in network.modules())
    assert len(others) == 2 * normalized  # a weight and a bias each
    assert not any(tensor.requires_grad for tensor in others)


def test_the_order_in_memory_is_kept():
    network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4)).eval().to(memory_format=torch.channels_last)
    assert folded(network)[0].weight.is_contiguous(memory_format=torch.channels_last)


def test_a_network_without_normalization_is_not_copied():
    method = MSBDNMethod(MSBDN(width=2, blocks=1, bottleneck=1))
    assert method.running is method.model
