"""The composed network: sizes, state, gradients through time, variants, rebuilding."""

import json
import re

import cv2
import numpy as np
import pytest
import torch
from helpers.tiny_networks import SMALL

from ncfl.common.errors import InputError
from ncfl.models.attention import FeatureAttention
from ncfl.models.ncfl import NCFL, FeatureCodec, State
from ncfl.models.restoration import Cascade, UNet
from ncfl.models.variants import VARIANTS, m_a, m_f, ncfl_adapq, ncfl_noq, rebuild


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)


def _stir(model: torch.nn.Module) -> torch.nn.Module:
    """Small random values where a zero start would hide a path."""
    with torch.no_grad():
        for parameter in model.parameters():
            if not parameter.any():
                parameter.normal_(0, 0.02)
    return model


@pytest.mark.parametrize("name", VARIANTS)
@pytest.mark.parametrize("size", [(16, 16), (17, 35), (40, 33)])
def test_every_variant_at_odd_sizes_and_four_channels(name, size):
    model = VARIANTS[name](**SMALL, channels=4)
    frames = torch.rand(2, 2, 4, *size)
    first = model(frames[0])
    second = model(frames[1], first.state)
    assert second.y_tilde.shape == (2, 4, *size)
    has_bits = name in ("m_d", "m_f", "w_net", "ncfl_adapq")
    assert (second.bits is not None) == has_bits
    if has_bits:
        assert second.bits.shape == (2,)


@pytest.mark.parametrize("name", ["m_a", "m_f", "w_net"])
def test_an_untrained_network_gives_its_input_back(name):
    model, frames = VARIANTS[name](**SMALL), 2 * torch.rand(2, 1, 3, 21, 18) - 0.5
    first = model(frames[0])
    assert torch.equal(first.y_tilde, frames[0])  # unclipped
    assert torch.equal(model(frames[1], first.state).y_tilde, frames[1])


def test_first_frame_has_zero_features_and_state_is_carried():
    model, x_t = _stir(m_f(**SMALL)), torch.rand(1, 3, 32, 32)
    assert not model.align(x_t, None).any()
    first = model(x_t)
    assert isinstance(first.state, State)
    assert first.state.c_t.shape == (1, 8, 32, 32)
    second = model(x_t, first.state)
    assert not torch.allclose(first.y_tilde, second.y_tilde, atol=1e-7)


def test_features_move_with_the_motion():
    model = m_a(**SMALL)
    with torch.no_grad():  # coarsest of four levels: one coarse pixel right = eight pixels
        model.motion.levels[0][-1].bias[0] = 1.0
    x, c = torch.rand(1, 3, 32, 32), torch.randn(1, 8, 32, 32)
    got = model.align(x, State(x, c))
    torch.testing.assert_close(got[..., :-8], c[..., 8:], rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("channels", [3, 4])
def test_motion_of_reduced_frames_is_in_pixels_of_the_whole_ones(channels):
    model = m_a(**SMALL, channels=channels, flow_reduction=2)
    with torch.no_grad():  # coarsest of four levels of frames of half the size: one pixel there is sixteen
        model.motion.levels[0][-1].bias[1] = 0.5
    x, c = torch.rand(1, channels, 32, 32), torch.randn(1, 8, 32, 32)
    got = model.align(x, State(x, c))
    torch.testing.assert_close(got[:, :, :-8], c[:, :, 8:], rtol=1e-4, atol=1e-4)
    assert model.multiple == 16
    assert torch.equal(model.motions([x, x])[1], model.estimate_motion(x, x))


def test_reduced_frames_are_means_and_motion_is_enlarged_between_them():
    """Against OpenCV, whose area and linear resizing keep pixel centres apart as these do."""
    model, frames = m_a(**SMALL, flow_reduction=4), torch.rand(2, 1, 3, 32, 64)
    shrunk = [
        torch.from_numpy(cv2.resize(x[0].permute(1, 2, 0).numpy(), (16, 8), interpolation=cv2.INTER_AREA))
        for x in frames
    ]
    _stir(model)
    with torch.no_grad():
        small = model.motion(*(x.permute(2, 0, 1)[None] for x in shrunk))[0].permute(1, 2, 0).numpy()
        found = model.estimate_motion(*frames)[0].permute(1, 2, 0)
    expected = 4 * cv2.resize(small, (64, 32), interpolation=cv2.INTER_LINEAR)
    assert np.ptp(small) > 0
    torch.testing.assert_close(found, torch.from_numpy(expected), rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("reduction", [0, 3, 8, "2", 1.5])
def test_a_reduction_that_there_is_not_is_refused(reduction):
    with pytest.raises(InputError, match=f"^flow_reduction: expected 1, 2, 4, got {re.escape(repr(reduction))}$"):
        m_f(**SMALL, flow_reduction=reduction)


@pytest.mark.parametrize("name", ["m_c", "m_f"])
def test_gradients_flow_through_time_and_reach_every_parameter(name):
    model, frames = _stir(VARIANTS[name](**SMALL)), torch.rand(3, 1, 3, 32, 32)
    first = model(frames[0])
    first.state.c_t.retain_grad()
    second = model(frames[1], first.state)
    third = model(frames[2], second.state)
    third.y_tilde.square().mean().backward()
    assert first.state.c_t.grad.abs().max() > 0
    for key, parameter in model.named_parameters():
        assert parameter.grad is not None, key
        assert torch.isfinite(parameter.grad).all(), key
    assert model.motion.levels[0][0].weight.grad.abs().max() > 0


@pytest.mark.parametrize("size", [(32, 32), (18, 45)])
def test_the_motions_of_a_clip_are_those_of_its_frames_one_by_one(size):
    model, frames = _stir(VARIANTS["m_f"](**SMALL)).eval(), torch.rand(3, 2, 3, *size)
    motions = model.motions(list(frames))
    assert motions[0] is None
    state, given = None, None
    for frame, mv in zip(frames, motions, strict=True):
        step, same = model(frame, state), model(frame, given, mv)
        torch.testing.assert_close(same.y_tilde, step.y_tilde, rtol=1e-4, atol=1e-5)
        state, given = step.state, same.state
    assert model.motions([frames[0]]) == [None]


def test_bits_are_per_pixel_of_the_frame():
    """A frame tiled four times costs (but for its borders) the same per pixel."""
    model, x = _stir(ncfl_adapq(**SMALL)), torch.rand(1, 3, 64, 64)
    tiled = torch.cat([torch.cat([x, x], 3)] * 2, 2)
    assert model(tiled).bits.item() == pytest.approx(model(x).bits.item(), rel=0.05)
    total = model.compression(model.head(x)).bits
    torch.testing.assert_close(model(x).bits, total / (64 * 64))


def test_a_batch_is_its_clips():
    model, frames = _stir(m_f(**SMALL)).eval(), torch.rand(2, 3, 3, 24, 24)
    with torch.no_grad():
        both = model(frames[1], model(frames[0]).state)
        alone = [model(frames[1, i : i + 1], model(frames[0, i : i + 1]).state) for i in range(3)]
    torch.testing.assert_close(both.y_tilde, torch.cat([a.y_tilde for a in alone]), rtol=1e-3, atol=1e-4)


def test_repeatable_to_the_bit():
    results = []
    for _ in range(2):
        torch.manual_seed(5)
        model, frames = _stir(m_f(**SMALL)), torch.rand(2, 1, 3, 32, 32)
        step = model(frames[1], model(frames[0]).state)
        (step.y_tilde.square().mean() + step.bits.mean()).backward()
        results.append([step.y_tilde, *(p.grad for p in model.parameters() if p.grad is not None)])
    assert all(torch.equal(a, b) for a, b in zip(*results, strict=True))


def test_autocast_stays_close():
    model, frames = _stir(m_f(**SMALL)), torch.rand(2, 1, 3, 32, 32)
    expected = model(frames[1], model(frames[0]).state).y_tilde
    with torch.autocast("cpu", dtype=torch.bfloat16):
        got = model(frames[1], model(frames[0]).state)
    assert got.bits.dtype == torch.float32
    torch.testing.assert_close(got.y_tilde.float(), expected, rtol=0.02, atol=0.02)


@pytest.mark.parametrize("name", VARIANTS)
def test_arguments_survive_json_and_rebuild_the_model(name):
    model = VARIANTS[name](**SMALL)
    arguments = json.loads(json.dumps(model.arguments))
    assert arguments == model.arguments
    twin = rebuild(model.kind, arguments)
    twin.load_state_dict(model.state_dict())
    frames = torch.rand(2, 1, 3, 16, 16)
    with torch.no_grad():
        ours, theirs = (m.eval()(frames[1], m(frames[0]).state) for m in (model, twin))
    assert type(twin) is type(model)
    assert twin.arguments == model.arguments
    assert torch.equal(ours.y_tilde, theirs.y_tilde)


@pytest.mark.parametrize("name", VARIANTS)
def test_an_unknown_size_is_a_type_error(name):
    with pytest.raises(TypeError, match="unet_width"):
        VARIANTS[name](unet_width=8)


def test_choices_that_there_are_not():
    with pytest.raises(InputError, match="refined, conv, plain"):
        NCFL(mv="none")
    with pytest.raises(InputError, match="ncfl, conv, none"):
        NCFL(compression="zip")
    with pytest.raises(InputError, match="3 \\(RGB\\) or 4"):
        NCFL(channels=1)
    with pytest.raises(InputError, match="ncfl, codec"):
        rebuild("unet", {})
    with pytest.raises(InputError, match=r"expected the arguments that it takes, got others \(.*colour"):
        rebuild("ncfl", {"colour": 3})


@pytest.mark.parametrize("model", [m_a(**SMALL), ncfl_noq(**SMALL)], ids=["m_a", "ncfl_noq"])
def test_frames_that_are_refused(model):
    with pytest.raises(InputError, match="20x15"):
        model(torch.rand(1, 3, 15, 20))
    with pytest.raises(InputError, match="B,3,H,W"):
        model(torch.rand(1, 4, 32, 32))


def test_a_frame_of_another_size_is_refused():
    model = m_a(**SMALL)
    state = model(torch.rand(1, 3, 32, 32)).state
    with pytest.raises(InputError, match=r"frame: expected shape \[1, 3, 32, 32\], .*, got \[1, 3, 48, 32\]"):
        model(torch.rand(1, 3, 48, 32), state)


def test_attention_map_is_spatial_and_per_channel():
    m_t = FeatureAttention(3, 8, (4, 4, 8), blocks=1)(torch.rand(2, 3, 16, 20), torch.randn(2, 8, 16, 20))
    assert m_t.shape == (2, 8, 16, 20)
    assert m_t.min() > 0
    assert m_t.max() < 1
    assert m_t.std((2, 3)).min() > 0
    assert m_t.std(1).min() > 0


def test_w_net_is_two_u_nets_in_a_row():
    cascade = _stir(Cascade(2, 3, 8, (8, 8, 16)))
    x, c = torch.rand(1, 3, 16, 16), torch.randn(1, 8, 16, 16)
    between = cascade.unets[0](x, c)
    expected = cascade.unets[1](between.y_tilde, between.c_t)
    got = cascade(x, c)
    torch.testing.assert_close(got.y_tilde, expected.y_tilde)
    torch.testing.assert_close(got.c_t, expected.c_t)


def test_u_net_sees_its_coarsest_scale():
    """A pixel far away is seen through the coarse scales, not by the two convolutions at full size."""
    unet, x = _stir(UNet(3, 8, (8, 8, 16, 16, 16))), torch.rand(1, 3, 64, 64, requires_grad=True)
    (unet(x, torch.zeros(1, 8, 64, 64)).y_tilde - x)[0, 0, 0, 0].backward()
    assert x.grad[0, :, 40:, 40:].abs().max() > 0


def test_adapq_and_noq_have_no_path_around_the_bottleneck():
    for build in (ncfl_adapq, ncfl_noq):
        model, x = build(**SMALL), torch.rand(1, 3, 16, 16)
        for parameter in model.compression.decoder.parameters():
            torch.nn.init.zeros_(parameter)
        y_tilde = model(x).y_tilde
        assert isinstance(model, FeatureCodec)
        torch.testing.assert_close(y_tilde, model.tail.bias[None, :, None, None].expand_as(y_tilde))
