"""MSBDN: the published size and names, each block against a plain reference, any size of frame, its refusals."""

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from ncfl.methods.msbdn.model import MSBDN, DenseFusion, ScaledResidual, mirrored

SMALL = {"width": 2, "blocks": 1, "bottleneck": 2}


@pytest.fixture(scope="module")
def model() -> MSBDN:
    torch.manual_seed(0)
    return MSBDN(**SMALL).eval()


def noise(*shape: int, seed: int = 1) -> Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed))


def test_the_published_network_has_the_published_size_and_this_cost():
    with torch.device("meta"):
        published = MSBDN().eval()
    # The authors' repository says 31M; their network, built, has exactly this many.
    assert sum(parameter.numel() for parameter in published.parameters()) == 31_353_061
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        published(torch.empty(1, 3, 544, 960, device="meta"))
    assert counter.get_total_flops() == 2 * 372_832 * 544 * 960


def test_the_tensors_have_the_official_names_and_shapes():
    with torch.device("meta"):
        state = MSBDN().state_dict()
    expected = {
        "conv_input.conv2d.weight": (16, 3, 11, 11),
        "dense0.2.conv1.conv2d.weight": (16, 16, 3, 3),
        "dense0.0.relu.weight": (1,),
        "conv2x.conv2d.weight": (32, 16, 3, 3),
        "fusion1.up_convs.0.deconv.weight": (32, 16, 4, 4),
        "fusion1.down_convs.0.conv.weight": (32, 16, 4, 4),
        "fusion4.up_convs.3.deconv.weight": (32, 16, 4, 4),
        "fusion4.down_convs.0.conv.weight": (256, 128, 4, 4),
        "fusion4.down_convs.0.act.weight": (1,),
        "dense3.2.conv2.conv2d.bias": (128,),
        "conv16x.conv2d.weight": (256, 128, 3, 3),
        "dehaze.res17.conv2.conv2d.weight": (256, 256, 3, 3),
        "convd16x.conv2d.weight": (256, 128, 3, 3),
        "dense_4.0.conv1.conv2d.weight": (128, 128, 3, 3),
        "fusion_4.down_convs.0.conv.weight": (256, 128, 4, 4),
        "fusion_1.down_convs.3.conv.weight": (256, 128, 4, 4),
        "fusion_1.up_convs.0.deconv.weight": (32, 16, 4, 4),
        "convd2x.conv2d.weight": (32, 16, 3, 3),
        "conv_output.conv2d.weight": (3, 16, 3, 3),
    }
    assert {name: tuple(state[name].shape) for name in expected} == expected
    # 11 convolutions of two tensors, 42 blocks of five, 20 fusion steps of two layers of three.
    assert len(state) == 10 * 2 + (8 * 3 + 18) * 5 + 20 * 2 * 3


def test_a_residual_block_adds_a_tenth():
    torch.manual_seed(0)
    block, x = ScaledResidual(3), noise(1, 3, 6, 7)
    mirror = [F.pad(x, (1, 1, 1, 1), mode="reflect")]
    hidden = F.conv2d(mirror[0], block.conv1.conv2d.weight, block.conv1.conv2d.bias)
    hidden = torch.where(hidden > 0, hidden, 0.25 * hidden)  # how a PReLU starts
    out = F.conv2d(F.pad(hidden, (1, 1, 1, 1), mode="reflect"), block.conv2.conv2d.weight, block.conv2.conv2d.bias)
    torch.testing.assert_close(block(x), x + 0.1 * out)


@pytest.mark.parametrize("up", [True, False])
def test_fusion_projects_to_the_farthest_features_first_and_back(up: bool):
    torch.manual_seed(0)
    fusion = DenseFusion(4, 2, up=up)
    near, far = (noise(1, 2, 16, 16), noise(1, 1, 32, 32)) if up else (noise(1, 8, 4, 4), noise(1, 16, 2, 2))
    x = noise(1, 4, 8, 8)
    there, back = (fusion.up_convs, fusion.down_convs) if up else (fusion.down_convs, fusion.up_convs)
    y = x + back[0](back[1](there[1](there[0](x)) - far))
    y = y + back[0](there[0](y) - near)
    torch.testing.assert_close(fusion(x, [far, near]), y)


def test_where_nothing_is_learned_only_the_first_and_the_last_convolution_act():
    torch.manual_seed(0)
    network = MSBDN(**SMALL).eval()
    for name, parameter in network.named_parameters():
        if not name.startswith(("conv_input", "conv_output")):
            torch.nn.init.zeros_(parameter)
    frame = noise(1, 3, 32, 48)
    x = F.conv2d(F.pad(frame, [5] * 4, mode="reflect"), *network.conv_input.conv2d.parameters())
    # Residual blocks are the identity, to which encoder and decoder add their input: twice, and twice again.
    expected = F.conv2d(F.pad(4 * x, [1] * 4, mode="reflect"), *network.conv_output.conv2d.parameters())
    with torch.no_grad():
        torch.testing.assert_close(network(frame), expected)


@pytest.mark.parametrize("size", [(16, 16), (16, 50), (35, 33), (32, 48)])
def test_any_size_is_mirrored_and_cropped(model: MSBDN, size: tuple[int, int]):
    frame = noise(2, 3, *size)
    whole = mirrored(frame)
    assert all(length % 16 == 0 and length >= 32 for length in whole.shape[-2:])
    torch.testing.assert_close(whole[..., : size[0], : size[1]], frame, rtol=0, atol=0)
    with torch.no_grad():
        restored = model.restore(frame)
        torch.testing.assert_close(restored, model(whole)[..., : size[0], : size[1]], rtol=0, atol=0)
    assert restored.shape == frame.shape


def test_the_edge_is_not_repeated():
    ramp = torch.arange(18.0).expand(1, 1, 18, 18)
    assert mirrored(ramp)[0, 0, 0, 16:20].tolist() == [16.0, 17.0, 16.0, 15.0]
    assert mirrored(ramp)[0, 0, 0].shape == (32,)


def test_each_frame_of_a_clip_stands_for_itself(model: MSBDN):
    clip = noise(2, 3, 3, 20, 34)
    with torch.no_grad():
        torch.testing.assert_close(model.restore_clip(clip, None)[1, 2], model.restore(clip[1:, 2])[0])
