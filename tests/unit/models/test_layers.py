"""GDN, the residual blocks, padding, sums and parts in memory."""

import numpy as np
import pytest
import torch

from ncfl.common.errors import InputError
from ncfl.models.layers import GDN, ChannelAttentionBlock, LowerBound, ResBlock, added, concatenated, ordered_as
from ncfl.models.padding import Padder, check_frame


def _random_gdn(width: int, *, inverse: bool) -> tuple[GDN, np.ndarray, np.ndarray]:
    """A GDN and its beta, gamma in float64, set from the outside."""
    rng = np.random.default_rng(3)
    beta, gamma = rng.uniform(0.5, 2, width), rng.uniform(0, 0.3, (width, width))
    layer = GDN(width, inverse=inverse)
    with torch.no_grad():
        layer.beta_root.copy_(torch.from_numpy(np.sqrt(beta)))
        layer.gamma_root.copy_(torch.from_numpy(np.sqrt(gamma)))
    return layer, beta, gamma


@pytest.mark.parametrize("inverse", [False, True])
def test_gdn_values(inverse):
    layer, beta, gamma = _random_gdn(5, inverse=inverse)
    x = np.random.default_rng(0).normal(0, 2, (2, 5, 3, 4))
    root = np.sqrt(beta[None, :, None, None] + np.einsum("ij,bjhw->bihw", gamma, x**2))
    expected = x * root if inverse else x / root
    got = layer(torch.from_numpy(x).float()).detach().numpy()
    np.testing.assert_allclose(got, expected, rtol=2e-5, atol=1e-6)


def test_igdn_undoes_gdn_when_gamma_is_zero():
    x = torch.randn(1, 4, 5, 5, generator=torch.Generator().manual_seed(0))
    gdn, igdn = GDN(4, gamma=0.0), GDN(4, inverse=True, gamma=0.0)
    with torch.no_grad():
        for layer in (gdn, igdn):
            layer.beta_root.copy_(torch.tensor([0.5, 1.0, 2.0, 3.0]))
    torch.testing.assert_close(igdn(gdn(x)), x, rtol=1e-5, atol=1e-6)
    assert not torch.allclose(gdn(x), x, rtol=1e-2)


def test_gdn_starts_as_published():
    layer = GDN(3)
    torch.testing.assert_close(layer.beta, torch.ones(3))
    torch.testing.assert_close(layer.gamma, 0.1 * torch.eye(3))


def test_gdn_stays_in_its_bounds_and_finite():
    layer = GDN(3)
    with torch.no_grad():
        layer.beta_root.fill_(-4.0)
        layer.gamma_root.fill_(-4.0)
    assert (layer.beta >= 0.99e-6).all()
    assert (layer.gamma >= 0).all()
    x = torch.tensor([0.0, 1e-8, 1e4]).reshape(1, 3, 1, 1).requires_grad_()
    layer(x).sum().backward()
    assert torch.isfinite(x.grad).all()


def test_gdn_gradient():
    layer = GDN(3)
    x = torch.randn(1, 3, 2, 2, generator=torch.Generator().manual_seed(1)).requires_grad_()
    layer(x)[0, 1, 0, 1].backward()
    # d/dx_1 of x_1 / sqrt(1 + 0.1 x_1^2) = (1 + 0.1 x_1^2)^(-3/2); the other channels have gamma = 0
    expected = (1 + 0.1 * x[0, 1, 0, 1].item() ** 2) ** -1.5
    assert x.grad[0, 1, 0, 1].item() == pytest.approx(expected, rel=1e-5)
    assert x.grad[0, 0].abs().max() < 1e-6


def test_gdn_runs_in_float32_under_autocast():
    x = torch.full((1, 4, 2, 2), 1.001)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        under = GDN(4)(x)
    assert under.dtype == torch.float32
    torch.testing.assert_close(under, GDN(4)(x))


def test_lower_bound_lets_only_rising_gradients_pass():
    x = torch.tensor([-1.0, -1.0, 2.0, 2.0], requires_grad=True)
    bounded = LowerBound.apply(x, 0.5)
    assert bounded.tolist() == [0.5, 0.5, 2.0, 2.0]
    bounded.backward(torch.tensor([1.0, -1.0, 1.0, -1.0]))  # descent follows the negative gradient
    assert x.grad.tolist() == [0.0, -1.0, 1.0, -1.0]


def test_blocks_are_residual():
    x = torch.randn(2, 8, 6, 5, generator=torch.Generator().manual_seed(0))
    for block in (ResBlock(8), ChannelAttentionBlock(8)):
        assert not torch.allclose(block(x), x)
        torch.nn.init.zeros_(block.body[2].weight)
        torch.nn.init.zeros_(block.body[2].bias)
        torch.testing.assert_close(block(x), x)


def test_channel_attention_gates_whole_channels():
    block = ChannelAttentionBlock(8)
    x = torch.randn(1, 8, 6, 5, generator=torch.Generator().manual_seed(0))
    gain = ((block(x) - x) / block.body(x)).detach()
    spread = gain.amax((2, 3)) - gain.amin((2, 3))
    assert spread.max() < 1e-3
    assert gain.mean((2, 3)).std() > 1e-3  # the gate is not one number for all


@pytest.mark.parametrize(("size", "padded"), [((16, 16), (16, 16)), ((17, 31), (32, 32)), ((33, 16), (48, 16))])
def test_padding_and_cropping(size, padded):
    padder = Padder(*size, 16)
    x = torch.arange(size[0] * size[1], dtype=torch.float32).reshape(1, 1, *size)
    y = padder.pad(x)
    assert y.shape[-2:] == padded
    assert y[0, 0, -1, -1] == x[0, 0, -1, -1]
    assert torch.equal(padder.crop(y), x)


@pytest.mark.parametrize("shape", [(1, 3, 15, 40), (1, 3, 40, 15), (1, 4, 32, 32), (3, 32, 32)])
def test_what_is_no_frame_is_refused(shape):
    with pytest.raises(InputError, match=r"expected .*, got"):
        check_frame(torch.zeros(shape), 3)


def test_a_sum_stands_on_the_branch_and_has_the_gradients_of_a_sum():
    conv = torch.nn.Conv2d(2, 2, 1)
    x = torch.rand(1, 2, 3, 4, requires_grad=True)
    expected = torch.autograd.grad((x + conv(x)).square().sum(), (x, conv.weight))
    branch = conv(x)
    total = added(branch, x)
    assert total is branch
    torch.testing.assert_close(torch.autograd.grad(total.square().sum(), (x, conv.weight)), expected)


def test_a_sum_keeps_the_precision_of_the_finer_part():
    branch, x = torch.ones(3).bfloat16(), torch.full((3,), 1e-4)
    assert torch.equal(added(branch, x), torch.full((3,), 1 + 1e-4))
    assert torch.equal(branch, torch.ones(3).bfloat16())


@pytest.mark.parametrize("channels_last", [False, True])
def test_parts_take_the_order_of_memory_of_the_first(channels_last: bool):
    order = torch.channels_last if channels_last else torch.contiguous_format
    first = torch.rand(2, 3, 4, 5).contiguous(memory_format=order)
    others = [torch.rand(2, 1, 4, 5), torch.rand(2, 2, 4, 5)]
    assert ordered_as(first, others[1]).is_contiguous(memory_format=order)
    assert torch.equal(ordered_as(first, others[1]), others[1])
    together = concatenated(first, *others)
    assert together.is_contiguous(memory_format=order)
    assert torch.equal(together, torch.cat((first, *others), dim=1))
