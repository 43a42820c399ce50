"""DVDNet: the published sizes and names, the alignment between its two networks, its refusals."""

import cv2
import numpy as np
import pytest
import torch
import torch.nn.functional as F
from helpers.small_methods import trained_norms

from ncfl.common.errors import InputError
from ncfl.methods.dvdnet.model import DVDNet, DVDNetMethod, align, align_windows
from ncfl.methods.dvdnet.official_names import official_names
from ncfl.methods.interface import stream

SMALL = {"width": 6, "spatial_convs": 4, "temporal_convs": 2}


@pytest.fixture(scope="module")
def model() -> DVDNet:
    torch.manual_seed(0)
    return trained_norms(DVDNet(**SMALL))


def clip(length: int, height: int = 18, width: int = 22, batch: int = 1) -> torch.Tensor:
    return torch.rand(batch, length, 3, height, width, generator=torch.Generator().manual_seed(length))


def moving(length: int, step: int, size: int = 48) -> np.ndarray:
    """A smooth texture that moves `step` pixels to the left from frame to frame, uint8 [T,H,W,3]."""
    noise = np.random.default_rng(0).random((size, size + length * step, 3)).astype(np.float32)
    wide = cv2.normalize(cv2.GaussianBlur(noise, (0, 0), 3), None, 20, 235, cv2.NORM_MINMAX)
    return np.stack([wide[:, t * step : t * step + size] for t in range(length)]).astype(np.uint8)


def test_the_published_networks_have_the_published_sizes():
    with torch.device("meta"):
        published = DVDNet()
    counts = [sum(p.numel() for p in part.parameters()) for part in (published.spatial, published.temporal)]
    assert counts == [854_688, 478_656]


def test_the_tensors_have_the_official_names_and_shapes():
    with torch.device("meta"):
        state = DVDNet().state_dict()
    expected = {
        "spatial.conv_relu_bn.0.weight": (96, 15, 3, 3),
        "spatial.conv_relu_bn.2.weight": (96, 96, 3, 3),
        "spatial.conv_relu_bn.3.running_mean": (96,),
        "spatial.conv_relu_bn.32.weight": (12, 96, 3, 3),
        "temporal.down_conv.0.weight": (96, 18, 5, 5),
        "temporal.down_conv.1.weight": (96,),
        "temporal.conv1x1.weight": (96, 96, 1, 1),
        "temporal.block_conv.9.weight": (96, 96, 3, 3),
        "temporal.block_conv.10.bias": (96,),
        "temporal.out_conv.3.weight": (12, 96, 3, 3),
    }
    assert {name: tuple(state[name].shape) for name in expected} == expected


def test_the_two_official_files_make_one_state(model: DVDNet):
    spatial, temporal = (
        {f"module.{name}": tensor for name, tensor in part.state_dict().items()}
        for part in (model.spatial, model.temporal)
    )
    state = {**official_names(spatial), **official_names(temporal)}
    DVDNet(**model.arguments).load_state_dict(state, strict=True)
    with pytest.raises(InputError, match="expected the tensors of model_spatial"):
        official_names({"net.0.weight": torch.zeros(1)})


def test_the_spatial_network_sees_the_map_and_the_four_pixels_of_each_square(model: DVDNet):
    frame, level = clip(1)[:, 0], torch.rand(1, 3, 18, 22)
    # Written out with unfold, whose order of channels is the published one.
    squares = F.unfold(frame, 2, stride=2).reshape(1, 12, 9, 11)
    with torch.no_grad():
        noise = model.spatial.conv_relu_bn(torch.cat((level[..., ::2, ::2], squares), 1))
        noise = F.fold(noise.reshape(1, 12, 99), (18, 22), 2, stride=2)
        torch.testing.assert_close(model.spatial(frame, level), frame - noise)


def test_frames_are_denoised_alone_at_odd_sizes_too(model: DVDNet):
    noisy, sigma = clip(2, 17, 19), torch.tensor([30.0])
    mirrored = noisy[..., [*range(17), 15], :][..., [*range(19), 17]]
    with torch.no_grad():
        denoised = model.denoise(noisy, sigma)
        torch.testing.assert_close(denoised, model.denoise(mirrored, sigma)[..., :17, :19])
        torch.testing.assert_close(denoised[:, 1:], model.denoise(noisy[:, 1:], sigma))


def test_alignment_follows_the_motion_and_leaves_black_outside():
    frames = moving(5, 2)
    aligned = align(frames, 2)
    inner = np.s_[:, 8:-8, 8:-8]
    before = np.abs(frames[inner].astype(float) - frames[2][8:-8, 8:-8]).mean()
    after = np.abs(aligned[inner].astype(float) - frames[2][8:-8, 8:-8]).mean()
    assert before > 10
    assert after < before / 8
    np.testing.assert_array_equal(aligned[2], frames[2])
    # The last frame has moved on to the left by four pixels: its own first columns are not in it any more.
    assert aligned[4][8:-8, 0].max() == 0


def test_alignment_is_by_the_red_channel():
    frames = moving(3, 2)
    recolored = frames.copy()
    recolored[..., 1:] = 255 - recolored[..., 1:]
    np.testing.assert_array_equal(align(recolored, 1)[..., 0], align(frames, 1)[..., 0])


def test_windows_are_of_eight_bits_with_fractions_cut_off():
    frames = torch.full((1, 5, 3, 16, 16), 100.9 / 255)
    windows = align_windows(frames, [[0, 1, 2, 3, 4], [2, 2, 2, 2, 2]])
    assert windows.shape == (1, 2, 5, 3, 16, 16)
    torch.testing.assert_close(windows, torch.full_like(windows, 100 / 255))


def test_a_clip_is_denoised_aligned_and_merged_with_repeated_end_frames(model: DVDNet):
    noisy, sigma = clip(4), torch.tensor([25.0])
    with torch.no_grad():
        restored = model.restore(noisy, sigma)
        denoised = model.denoise(noisy, sigma).clamp(0, 1)
        pixels = (denoised[0] * 255).byte().permute(0, 2, 3, 1).numpy()
        for t, window in ((0, [0, 0, 0, 1, 2]), (1, [0, 0, 1, 2, 3]), (3, [1, 2, 3, 3, 3])):
            aligned = torch.from_numpy(align(pixels[window], 2)).permute(0, 3, 1, 2).reshape(1, 15, 18, 22) / 255
            expected = model.temporal(aligned, torch.full((1, 3, 18, 22), 25 / 255))
            torch.testing.assert_close(restored[:, t], expected, rtol=0, atol=1e-6)


def test_a_piece_with_its_context_gives_the_frames_of_the_whole(model: DVDNet):
    noisy = clip(8)
    method = DVDNetMethod(model)
    with torch.inference_mode():
        whole = method.restore(noisy, torch.tensor([25.0]))
        piece = method.restore(noisy[:, 1:7], torch.tensor([25.0]))
    kept = slice(method.overlap, -method.overlap)
    # In the mean: rounding may take a pixel of the eight-bit frames to its other neighbor, here or there.
    assert (piece[:, kept] - whole[:, 1:7][:, kept]).abs().mean() < 1e-5
    assert (piece[:, :1] - whole[:, 1:2]).abs().mean() > 1e-3  # whose frame 0 stands in for the one missing


def test_the_stream_of_a_long_clip_is_the_clip_restored_whole(model: DVDNet):
    noisy = clip(6)
    method = DVDNetMethod(model)
    method.chunk = 2
    outputs = torch.stack(list(stream(method, noisy.unbind(1), 25.0)), dim=1)
    with torch.no_grad():
        assert (outputs - model.restore(noisy, torch.tensor([25.0]))).abs().mean() < 1e-5


def test_a_training_clip_supervises_both_networks(model: DVDNet):
    noisy, sigma = clip(6), torch.tensor([25.0])
    assert list(model.supervised(6)) == [0, 1, 2, 3, 4, 5, 2, 3]
    with torch.no_grad():
        restored = model.restore_clip(noisy, sigma)
        torch.testing.assert_close(restored[:, :6], model.denoise(noisy, sigma))
        torch.testing.assert_close(restored[:, 6:], model.restore(noisy, sigma)[:, 2:4], rtol=0, atol=1e-5)


def test_gradients_reach_each_network_from_its_own_frames():
    model = DVDNet(**SMALL).train()
    model.restore_clip(clip(5), torch.tensor([25.0]))[:, 5:].square().mean().backward()
    assert all(parameter.grad.abs().max() == 0 for parameter in model.spatial.parameters())
    assert all(parameter.grad.isfinite().all() for parameter in model.temporal.parameters())
    model.restore_clip(clip(5), torch.tensor([25.0]))[:, :5].square().mean().backward()
    assert all(parameter.grad.isfinite().all() for parameter in model.spatial.parameters())
