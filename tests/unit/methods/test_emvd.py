"""EMVD: sizes and cost of the two forms, the invertible transforms, the recursion of frame and variance."""

import math

import pytest
import torch
from helpers.emvd_samples import SMALL, turned
from torch import nn

from ncfl.common.errors import InputError
from ncfl.methods.emvd.method import EMVDMethod
from ncfl.methods.emvd.model import EMVD, Color, EMVDState, Wavelet, emvd_l, emvd_s
from ncfl.methods.interface import stream


@pytest.fixture(scope="module")
def model() -> EMVD:
    torch.manual_seed(0)
    return turned(EMVD(**SMALL)).eval()


OPPONENT = [[3**-0.5] * 3, [2**-0.5, 0, -(2**-0.5)], [6**-0.5, -2 * 6**-0.5, 6**-0.5]]


def clip(length: int, height: int = 24, width: int = 32, batch: int = 1) -> torch.Tensor:
    return torch.rand(batch, length, 3, height, width, generator=torch.Generator().manual_seed(length))


def convolutions(model: EMVD, s: int) -> list[nn.Conv2d]:
    parts = [model.fusion[s], model.denoising[s]] + ([model.refinement] if s == 0 else [])
    return [layer for part in parts for layer in part.modules() if isinstance(layer, nn.Conv2d)]


@pytest.mark.parametrize(("build", "parameters", "macs"), [(emvd_s, 35_544, 4_763.25), (emvd_l, 9_527_528, 1_059_813)])
def test_the_two_forms_have_the_published_cost(build, parameters: int, macs: float):
    with torch.device("meta"):
        model = build()
    stages = sum(p.numel() for name, p in model.named_parameters() if not name.startswith(("color", "wavelet")))
    assert stages == parameters
    # Multiply-accumulates per pixel of the stages alone; scale s runs at 1 / 4^(s+1) of the pixels.
    counted = sum(layer.weight.numel() / 4 ** (s + 1) for s in range(3) for layer in convolutions(model, s))
    assert counted == pytest.approx(macs, abs=0.5)


def test_the_color_transform_starts_as_opponent_colors():
    torch.testing.assert_close(Color(3).matrix(), torch.tensor(OPPONENT))
    torch.testing.assert_close(Color(4).matrix()[0], torch.full((4,), 0.5))


def test_the_wavelet_starts_as_haar():
    x = torch.tensor([[1.0, 2.0], [5.0, 11.0]])[None, None]
    bands = Wavelet()(x)[0, :, 0, 0]
    # half of: the sum; rows apart; columns apart; the diagonal
    torch.testing.assert_close(bands, torch.tensor([19.0, 3 - 16, 6 - 13, 1 - 2 - 5 + 11]) / 2)


def test_low_bands_of_all_channels_come_first():
    x = torch.rand(2, 3, 4, 6)
    low = (x[..., ::2, ::2] + x[..., 1::2, ::2] + x[..., ::2, 1::2] + x[..., 1::2, 1::2]) / 2
    torch.testing.assert_close(Wavelet()(x)[:, :3], low)


def test_trained_transforms_still_invert_and_keep_the_energy(model: EMVD):
    x = torch.randn(2, 3, 16, 24)
    bands = model.wavelet(model.color(x)).detach()
    torch.testing.assert_close(model.color.inverse(model.wavelet.inverse(bands)), x, rtol=0, atol=1e-5)
    assert float(bands.square().sum()) == pytest.approx(float(x.square().sum()), rel=1e-5)


def test_the_low_band_of_uneven_variance_is_the_measured_one():
    wavelet = Wavelet()
    with torch.no_grad():
        wavelet.angle.fill_(0.6)
        variance = torch.tensor([[0.1, 0.4], [0.9, 1.6]])
        noise = torch.randn(200_000, 1, 2, 2, generator=torch.Generator().manual_seed(0)) * variance.sqrt()
        measured = wavelet(noise)[:, 0].var()
        predicted = wavelet.variance(variance[None, None])
        assert float(predicted) == pytest.approx(float(measured), rel=0.02)
        torch.testing.assert_close(wavelet.variance(torch.full((1, 1, 2, 2), 0.3)), torch.full((1, 1, 1, 1), 0.3))


def haar(x: torch.Tensor) -> torch.Tensor:
    """By the four pixels of each square, without a convolution."""
    a, b, c, d = x[..., ::2, ::2], x[..., ::2, 1::2], x[..., 1::2, ::2], x[..., 1::2, 1::2]
    return torch.cat((a + b + c + d, a + b - c - d, a - b + c - d, a - b - c + d), dim=1) / 2


def unhaar(bands: torch.Tensor) -> torch.Tensor:
    low, rows, columns, diagonal = bands.chunk(4, dim=1)
    x = torch.empty(*low.shape[:2], 2 * low.shape[2], 2 * low.shape[3])
    x[..., ::2, ::2] = low + rows + columns + diagonal
    x[..., ::2, 1::2] = low + rows - columns - diagonal
    x[..., 1::2, ::2] = low - rows + columns - diagonal
    x[..., 1::2, 1::2] = low - rows - columns + diagonal
    return x / 2


def naive_step(model: EMVD, frame: torch.Tensor, before: torch.Tensor, variances: tuple[float, float]):
    """One step of two scales, written out: `variances` of the fused frame before and of this one."""
    mix = torch.tensor(OPPONENT)
    now = [haar(torch.einsum("ij,bjhw->bihw", mix, frame))]
    was = [haar(torch.einsum("ij,bjhw->bihw", mix, before))]
    now.append(haar(now[0][:, :3]))
    was.append(haar(was[0][:, :3]))
    flat = torch.full_like(now[1][:, :1], variances[1])
    gamma = model.fusion[1](torch.cat(((now[1] - was[1])[:, :3].abs(), flat), 1)).sigmoid()
    fused = was[1] + gamma * (now[1] - was[1])
    variance = (1 - gamma) ** 2 * variances[0] + gamma**2 * variances[1]
    denoised = model.denoising[1](torch.cat((fused, now[1][:, :3], variance), 1))
    doubled = gamma.repeat_interleave(2, 2).repeat_interleave(2, 3)
    flat = torch.full_like(now[0][:, :1], variances[1])
    gamma = model.fusion[0](torch.cat(((now[0] - was[0])[:, :3].abs(), doubled, flat), 1)).sigmoid()
    fused = was[0] + gamma * (now[0] - was[0])
    variance = (1 - gamma) ** 2 * variances[0] + gamma**2 * variances[1]
    denoised = model.denoising[0](torch.cat((fused, unhaar(denoised), now[0][:, :3], variance), 1))
    omega = model.refinement(torch.cat((fused, denoised, variance), 1)).sigmoid()
    refined = unhaar(omega * fused + (1 - omega) * denoised)
    return torch.einsum("ij,bihw->bjhw", mix, refined), fused, variance


def test_a_step_is_the_one_written_out():
    torch.manual_seed(3)
    model = EMVD(scales=2, **SMALL).eval()
    before, frame = clip(2).unbind(1)
    sigma = torch.tensor([40.0])
    level = (40 / 255) ** 2
    with torch.no_grad():
        first = model(before, sigma)
        restored, state = model(frame, sigma, first.state)
        expected, fused, variance = naive_step(model, frame, before, (level, level))
    torch.testing.assert_close(restored, expected, rtol=0, atol=1e-5)
    torch.testing.assert_close(state.fused, fused, rtol=0, atol=1e-5)
    torch.testing.assert_close(state.variance, variance, rtol=1e-5, atol=0)


def test_the_first_frame_is_its_own_fused_frame(model: EMVD):
    frame = clip(1)[:, 0]
    with torch.no_grad():
        state = model(frame, torch.tensor([50.0])).state
        fused = model.color.inverse(model.wavelet.inverse(state.fused))
    torch.testing.assert_close(fused, frame, rtol=0, atol=1e-5)
    torch.testing.assert_close(state.variance, torch.full((1, 1, 12, 16), (50 / 255) ** 2))


def test_even_fusion_of_n_frames_leaves_a_fraction_of_the_variance(model: EMVD):
    torch.manual_seed(0)
    even = EMVD(**SMALL)
    for stage in even.fusion:  # gamma = 1/2 whatever the frames are
        nn.init.zeros_(stage[-1].weight)
        nn.init.zeros_(stage[-1].bias)
    sigma, state = torch.tensor([30.0]), None
    with torch.no_grad():
        for frame in clip(3).unbind(1):
            state = even(frame, sigma, state).state
    expected = (30 / 255) ** 2 * (1 / 4**2 + 1 / 4**2 + 1 / 2**2)
    torch.testing.assert_close(state.variance, torch.full_like(state.variance, expected))


def test_other_sizes_are_reflected_and_cropped(model: EMVD):
    noisy, sigma = clip(2, 19, 29), torch.tensor([20.0])
    rows, columns = [*range(19), 17, 16, 15, 14, 13], [*range(29), 27, 26, 25]
    with torch.no_grad():
        expected = model.restore_clip(noisy[..., rows, :][..., columns], sigma)[..., :19, :29]
        torch.testing.assert_close(model.restore_clip(noisy, sigma), expected, rtol=0, atol=0)


def test_what_came_before_counts(model: EMVD):
    noisy, method = clip(3), EMVDMethod(model)
    outputs = torch.stack(list(stream(method, noisy.unbind(1), 20.0)), dim=1)
    assert (outputs[:, 2] - next(stream(method, [noisy[:, 2]], 20.0))).abs().max() > 1e-4


def test_gradients_reach_every_parameter_through_the_fused_frames():
    fresh = turned(EMVD(**SMALL))
    noisy = clip(3).requires_grad_()
    fresh.restore_clip(noisy, torch.tensor([30.0]))[:, 2].square().mean().backward()
    assert all(p.grad is not None and math.isfinite(float(p.grad.sum())) for p in fresh.parameters())
    assert noisy.grad[:, 0].abs().max() > 0


def test_a_state_of_another_size_is_refused(model: EMVD):
    state = EMVDState(torch.zeros(1, 12, 12, 16), torch.zeros(1, 1, 12, 16))
    with pytest.raises(InputError, match=r"bands: expected \[1, 12, 12, 16\], as the state has, got \[1, 12, 16, 16\]"):
        model(torch.zeros(1, 3, 32, 32), torch.ones(1), state)
