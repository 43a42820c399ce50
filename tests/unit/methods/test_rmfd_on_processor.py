"""RMFD with its 3D convolutions as 2D ones: the same numbers, the network left as it was."""

import pytest
import torch
from torch import nn

from ncfl.methods.rmfd.method import RMFDMethod
from ncfl.methods.rmfd.model import RMFD
from ncfl.methods.rmfd.on_processor import PairwiseConv, pairwise


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("frames", [2, 5])
def test_a_convolution_over_pairs_of_frames(stride: int, frames: int):
    torch.manual_seed(0)
    conv = nn.Conv3d(3, 4, (2, 3, 3), stride=(1, stride, stride), padding=(0, 1, 1)).double()
    x = torch.rand(2, 3, frames, 10, 14, dtype=torch.float64)
    torch.testing.assert_close(PairwiseConv(conv)(x), conv(x).detach())


@pytest.mark.parametrize("size", [(16, 20), (18, 21)])
def test_a_clip_is_restored_as_by_the_network_itself(size: tuple[int, int]):
    torch.manual_seed(0)
    model = RMFD(width=4, blocks=1)
    with torch.no_grad():  # away from the constant start of the haze network
        model.multi_model_haze.output2.conv2d.weight.normal_(std=0.1)
        model.multi_model_haze.alpha_output2.conv2d.weight.normal_(std=0.1)
    fast, plain = (RMFDMethod(model, channels_last=True, fold=fold) for fold in (True, False))
    clip = torch.rand(2, 4, 3, *size, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        torch.testing.assert_close(fast.restore(clip, None), plain.restore(clip, None), rtol=0, atol=1e-5)
    assert not any(isinstance(layer, nn.Conv3d) for layer in fast.running.modules())
    assert plain.running is plain.model is fast.model is model
    assert RMFDMethod(model).running is model


def test_all_other_tensors_are_shared():
    model = RMFD(width=2, blocks=1)
    own, other = dict(model.named_parameters()), dict(pairwise(model).named_parameters())
    assert all(other[name] is own[name] for name in other)
    assert {name for name in own if name not in other} == {name for name, p in own.items() if p.ndim == 5} | {
        name.replace("weight", "bias") for name, p in own.items() if p.ndim == 5
    }
