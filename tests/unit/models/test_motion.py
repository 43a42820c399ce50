"""SPyNet and warping, against closed forms and OpenCV."""

import cv2
import numpy as np
import pytest
import torch

from ncfl.models.motion import SPyNet, as_rgb, warp


def _smooth(height: int, width: int, seed: int = 0) -> np.ndarray:
    noise = np.random.default_rng(seed).normal(size=(height, width, 3)).astype(np.float32)
    return cv2.GaussianBlur(noise, (0, 0), 2)


def _tensor(image: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(np.ascontiguousarray(image)).permute(2, 0, 1)[None]


def test_warp_by_whole_pixels_shifts():
    x = torch.randn(2, 3, 9, 12, generator=torch.Generator().manual_seed(0))
    mv = torch.zeros(2, 2, 9, 12)
    mv[:, 0], mv[:, 1] = 2, -1  # looks two columns to the right, one row up
    got = warp(x, mv)
    torch.testing.assert_close(got[:, :, 1:, :-2], x[:, :, :-1, 2:], rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(got[:, :, 1:, -1], x[:, :, :-1, -1], rtol=1e-5, atol=1e-5)  # border value


def test_warp_of_a_ramp_is_exact_between_pixels():
    rows, columns = torch.meshgrid(torch.arange(8.0), torch.arange(10.0), indexing="ij")
    x = (3 * columns - 2 * rows)[None, None]
    mv = torch.stack((torch.full((8, 10), 0.25), torch.full((8, 10), 0.5)))[None]
    expected = x + 3 * 0.25 - 2 * 0.5
    torch.testing.assert_close(warp(x, mv)[..., :-1, :-1], expected[..., :-1, :-1], rtol=1e-4, atol=1e-4)


def test_warp_agrees_with_opencv():
    image = _smooth(24, 31)
    mv = 3 * _smooth(24, 31, seed=1)[..., :2]
    rows, columns = np.mgrid[:24, :31].astype(np.float32)
    expected = cv2.remap(
        image, columns + mv[..., 0], rows + mv[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
    # OpenCV before 5 rounds positions to 1/32 of a pixel
    tolerance = 1e-4 if int(cv2.__version__.split(".")[0]) >= 5 else 0.02
    np.testing.assert_allclose(warp(_tensor(image), _tensor(mv))[0].permute(1, 2, 0), expected, atol=tolerance)


def test_warp_gradient_to_motion():
    columns = torch.arange(10.0).expand(8, 10)[None, None]
    mv = torch.full((1, 2, 8, 10), 0.3, requires_grad=True)
    warp(5 * columns, mv)[..., 2:-2, 2:-2].sum().backward()
    torch.testing.assert_close(mv.grad[0, 0, 2:-2, 2:-2], torch.full((4, 6), 5.0), rtol=1e-3, atol=1e-3)
    assert mv.grad[0, 1].abs().max() < 1e-3  # constant along y


def test_warp_keeps_the_dtype():
    assert warp(torch.zeros(1, 2, 4, 4, dtype=torch.bfloat16), torch.zeros(1, 2, 4, 4)).dtype == torch.bfloat16


@pytest.mark.parametrize(("levels", "parameters"), [(4, 960_200), (6, 1_440_300)])
def test_published_parameter_counts(levels, parameters):
    assert sum(p.numel() for p in SPyNet(levels=levels).parameters()) == parameters


def test_width_scales_the_hidden_channels():
    level = SPyNet(width=0.25).levels[0]
    assert [layer.out_channels for layer in level if isinstance(layer, torch.nn.Conv2d)] == [8, 16, 8, 4, 2]


@pytest.mark.parametrize(("channels", "height", "width"), [(3, 16, 16), (3, 37, 41), (4, 19, 64)])
def test_initial_motion_is_zero_at_any_size(channels, height, width):
    x_t, x_prev = torch.rand(2, 2, channels, height, width)
    mv = SPyNet(width=0.125)(x_t, x_prev)
    assert mv.shape == (2, 2, height, width)
    assert mv.abs().max() == 0


def test_coarse_motion_is_doubled_on_the_way_up():
    net = SPyNet(levels=3, width=0.125)
    with torch.no_grad():  # the coarsest level says (1, -2) coarse pixels everywhere, the others nothing
        net.levels[0][-1].bias.copy_(torch.tensor([1.0, -2.0]))
    mv = net(torch.rand(1, 3, 32, 32), torch.rand(1, 3, 32, 32))
    torch.testing.assert_close(mv[0, 0], torch.full((32, 32), 4.0))
    torch.testing.assert_close(mv[0, 1], torch.full((32, 32), -8.0))


def test_learns_the_direction_of_a_shift():
    """A few steps on one pair: the motion found looks to where the content came from."""
    torch.manual_seed(0)
    image = _tensor(_smooth(32, 40))
    x_t, x_prev = image[..., 3:-3], image[..., 1:-5]  # x_t(p) = x_prev(p + 2 columns)
    net = SPyNet(levels=3, width=0.25)
    optimizer = torch.optim.Adam(net.parameters(), lr=2e-3)
    for _ in range(60):
        optimizer.zero_grad()
        (warp(x_prev, net(x_t, x_prev)) - x_t).square().mean().backward()
        optimizer.step()
    mv = net(x_t, x_prev)[0, :, 4:-4, 4:-4].mean((1, 2))
    assert mv[0].item() == pytest.approx(2, abs=0.4)
    assert mv[1].item() == pytest.approx(0, abs=0.4)


def test_packed_bayer_becomes_rgb():
    planes = torch.tensor([0.1, 0.2, 0.3, 0.6]).reshape(1, 4, 1, 1)
    torch.testing.assert_close(as_rgb(planes).flatten(), torch.tensor([0.1, 0.4, 0.3]))
