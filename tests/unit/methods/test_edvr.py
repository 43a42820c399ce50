"""EDVR: sizes and names of the published forms, agreement with their code, windows and refusals."""

import numpy as np
import pytest
import torch
from helpers.basicvsr_samples import away_from_start, filled, noisy, probed, waves

from ncfl.common.errors import InputError
from ncfl.methods.edvr.model import EDVR, EDVRMethod, edvr, edvr_m_x4, edvr_x4
from ncfl.methods.edvr.official_names import official_names

SMALL = {"width": 8, "extract_blocks": 1, "reconstruct_blocks": 1, "tail_width": 8}


@pytest.fixture(scope="module")
def network() -> EDVR:
    torch.manual_seed(0)
    return away_from_start(edvr(**SMALL))


@pytest.mark.parametrize(
    ("form", "sizes", "parameters"),
    [
        (edvr, {}, 23_602_019),
        (edvr_x4, {}, 20_633_827),
        (edvr_x4, {"predeblur": True}, 23_306_851),
        (edvr_m_x4, {}, 3_300_131),
        (edvr_m_x4, {"tsa": False}, 2_996_259),
    ],
)
def test_published_forms_have_the_published_sizes(form, sizes: dict[str, bool], parameters: int):
    # counted on XPixelGroup/BasicSR v1.4.2
    assert sum(parameter.numel() for parameter in form(**sizes).parameters()) == parameters


@pytest.mark.parametrize(
    ("form", "sizes", "clip", "expected"),
    [
        (edvr, {}, (5, 32, 48), [0.349657, 0.700895, 0.432408, 0.759966, 0.627381]),
        (edvr_x4, {}, (5, 16, 20), [0.350054, 0.700368, 0.840423, 0.562423, 0.680941]),
        (edvr_x4, {"frames": 3, "tsa": False}, (3, 16, 20), [0.376928, 0.74546, 0.960285, 0.658086, 0.683832]),
    ],
)
def test_agrees_with_the_published_code(form, sizes, clip: tuple[int, int, int], expected: list[float]):
    # XPixelGroup/BasicSR v1.4.2, num_feat=16, num_extract_block=1, num_reconstruct_block=2, the same weights and clip
    network = filled(form(width=16, extract_blocks=1, reconstruct_blocks=2, **sizes))
    with torch.inference_mode():
        assert probed(network(waves(*clip))) == pytest.approx(expected, abs=2e-5)


def mmagic(name: str) -> str:
    """BasicSR's name of a tensor -> MMagic's, which wraps a convolution that an activation follows."""
    wrapped = (
        "conv_l",
        "pcd_align.offset_conv",
        "pcd_align.feat_conv",
        "pcd_align.cas_offset",
        "fusion.feat_fusion",
        "fusion.spatial_attn1",
        "fusion.spatial_attn2",
        "fusion.spatial_attn3",
        "fusion.spatial_attn4",
        "fusion.spatial_attn_l",
        "fusion.spatial_attn_add1",
    )
    if name.startswith(wrapped) and not name.startswith("conv_last"):
        name = name.replace(".weight", ".conv.weight").replace(".bias", ".conv.bias")
    for ours, theirs in {
        "conv_l2_": "feat_l2_conv",
        "conv_l3_": "feat_l3_conv",
        "pcd_align.": "pcd_alignment.",
        "upconv1.": "upsample1.upsample_conv.",
        "upconv2.": "upsample2.upsample_conv.",
    }.items():
        name = theirs + name.removeprefix(ours) if name.startswith(ours) else name
    return f"generator.{name}"


def test_names_of_either_publication_fit():
    state = filled(edvr_m_x4(**SMALL)).state_dict()
    fresh = edvr_m_x4(**SMALL)
    fresh.load_state_dict(official_names({f"module.{name}": value for name, value in state.items()}))
    theirs = {mmagic(name): value for name, value in state.items()}
    for name in (
        "feat_l3_conv2.conv.bias",
        "pcd_alignment.dcn_pack.l1.conv_offset.weight",
        "fusion.temporal_attn2.bias",
    ):
        assert f"generator.{name}" in theirs
    fresh.load_state_dict(official_names({**theirs, "step_counter": torch.zeros(1)}))
    for name, value in fresh.state_dict().items():
        assert torch.equal(value, state[name]), name


def test_the_middle_frame_is_restored(network: EDVR):
    still = edvr(**SMALL)
    torch.nn.init.zeros_(still.conv_last.weight)
    torch.nn.init.zeros_(still.conv_last.bias)
    window = noisy(5, 17, 35).requires_grad_()
    assert torch.equal(still(window), window[:, 2])
    restored = network(window)
    assert restored.shape == (1, 3, 17, 35)
    (gradient,) = torch.autograd.grad((restored - window[:, 2]).sum(), window)
    assert (gradient.abs().sum(dim=(0, 2, 3, 4)) > 0).all()  # of every frame


def test_padding_reflects_up_to_multiples_of_16(network: EDVR):
    window = noisy(5, 29, 27)
    padded = np.pad(window.numpy(), ((0, 0), (0, 0), (0, 0), (0, 3), (0, 5)), mode="reflect")
    with torch.no_grad():
        torch.testing.assert_close(network(window), network(torch.from_numpy(padded))[..., :29, :27])


def test_enlarges_any_size():
    network = edvr_x4(**SMALL)
    assert network(noisy(5, 17, 18)).shape == (1, 3, 68, 72)


def test_refuses_what_does_not_fit():
    with pytest.raises(InputError, match=r"predeblur: expected true unless .*, got false"):
        edvr(predeblur=False)
    with pytest.raises(InputError, match=r"upscale: expected false, .*, got true"):
        EDVRMethod(edvr_x4(**SMALL))
