"""Adaptive quantization and its cost, against hand-worked values and scipy in float64."""

import numpy as np
import pytest
import torch
from scipy import stats

from ncfl.common.errors import InputError
from ncfl.models.compression import (
    PROBABILITY_MIN,
    SIGMA_MIN,
    NConv,
    NeuralCompression,
    adaptive_quantization,
    symbol_bits,
)

DISTRIBUTIONS = {"laplace": stats.laplace, "gaussian": stats.norm}


def test_quantizer_by_hand():
    e_t = torch.tensor([1.0, 1.3, -0.7, 0.26])
    q = torch.tensor([0.5, 0.5, 0.4, 0.1])
    mu = torch.tensor([0.0, 0.25, -0.5, 0.2])
    # e/q - mu = 2, 2.35, -1.25, 2.4 -> r = 2, 2, -1, 2 -> q (r + mu) = 1, 1.125, -0.6, 0.22
    e_hat, r = adaptive_quantization(e_t, mu, q)
    torch.testing.assert_close(r, torch.tensor([2.0, 2.0, -1.0, 2.0]))
    torch.testing.assert_close(e_hat, torch.tensor([1.0, 1.125, -0.6, 0.22]))


def test_quantization_error_is_at_most_half_a_step():
    e_t, mu, q = torch.randn(3, 1000, generator=torch.Generator().manual_seed(0))
    q = q.abs() + 0.05
    e_hat, _ = adaptive_quantization(e_t, mu, q)
    assert ((e_hat - e_t).abs() <= 0.5 * q + 1e-5).all()


def test_quantizer_gradients():
    e_t, mu, q = (torch.tensor([v], requires_grad=True) for v in (1.3, 0.25, 0.5))
    e_hat, _ = adaptive_quantization(e_t, mu, q)
    e_hat.backward()
    assert e_t.grad.item() == pytest.approx(1)  # straight through
    assert mu.grad.item() == pytest.approx(0.5)  # q
    assert q.grad.item() == pytest.approx(2.25)  # r + mu


def test_a_step_can_learn_from_the_rounding_error_alone():
    """e/q - mu = 2.35, so that the error of r = 2 is -0.35 steps; values and the other gradients stay."""
    e_t, mu, q = (torch.tensor([v], requires_grad=True) for v in (1.3, 0.25, 0.5))
    e_hat, r = adaptive_quantization(e_t, mu, q, "rounding")
    assert (e_hat.item(), r.item()) == (1.125, 2)
    e_hat.backward()
    assert [v.grad.item() for v in (e_t, mu, q)] == pytest.approx([1, 0.5, -0.35])


def test_of_fine_steps_the_rounding_error_stays_small_where_the_symbols_do_not():
    """Steps of a thousandth: e_hat is within half a step of e for any of them, so no step can change it by more."""
    e_t = torch.linspace(1, 2, 101, dtype=torch.float64)
    greatest = {}
    for kind in ("symbols", "rounding"):
        q = torch.full_like(e_t, 1e-3).requires_grad_()
        adaptive_quantization(e_t, torch.zeros_like(e_t), q, kind)[0].sum().backward()
        greatest[kind] = q.grad.abs().max().item()
    assert greatest["rounding"] <= 0.5
    assert greatest["symbols"] == pytest.approx(2000)


def test_gradients_of_mean_and_step_against_differences():
    """Where no rounding flips, e_hat is differentiable by mu and q, and the gradient is that of the real function."""
    e_t, mu, q = 3 * torch.randn(3, 400, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    q, h = q.abs() + 0.2, 1e-6
    for which in (1, 2):
        values = [e_t, mu, q]
        ends = []
        for sign in (-1, 1):
            moved = list(values)
            moved[which] = values[which] + sign * h
            ends.append(adaptive_quantization(*moved))
        steady = ends[0][1].round() == ends[1][1].round()
        assert steady.sum() > 390
        slope = (ends[1][0] - ends[0][0]) / (2 * h)
        values[which] = values[which].clone().requires_grad_()
        adaptive_quantization(*values)[0].sum().backward()
        torch.testing.assert_close(values[which].grad[steady], slope[steady], rtol=1e-6, atol=1e-6)


def test_symbols_keep_a_straight_gradient_for_the_rate():
    e_t, mu, q = (torch.tensor([v], requires_grad=True) for v in (1.3, 0.25, 0.5))
    adaptive_quantization(e_t, mu, q)[1].backward()
    assert [v.grad.item() for v in (e_t, mu, q)] == pytest.approx([2.0, -1.0, -5.2])  # 1/q, -1, -e/q^2


@pytest.mark.parametrize("prior", ["laplace", "gaussian"])
@pytest.mark.parametrize("sigma", [0.1, 0.5, 1.0, 7.0, 300.0])
def test_bits_against_scipy(prior, sigma):
    r = np.arange(-40, 41)
    cdf = DISTRIBUTIONS[prior](scale=sigma).cdf
    probability = cdf(-np.abs(r) + 0.5) - cdf(-np.abs(r) - 0.5)
    expected = -np.log2(np.maximum(probability, PROBABILITY_MIN))
    got = symbol_bits(torch.from_numpy(r), torch.full(r.shape, sigma), prior)
    np.testing.assert_allclose(got, expected, rtol=2e-4, atol=2e-6)


@pytest.mark.parametrize("prior", ["laplace", "gaussian"])
def test_bits_describe_a_distribution(prior):
    r = torch.arange(-60, 61)
    bits = symbol_bits(r, torch.full(r.shape, 2.0), prior)
    assert (2.0 ** -bits.double()).sum().item() == pytest.approx(1, abs=1e-4)


@pytest.mark.parametrize("prior", ["laplace", "gaussian"])
def test_bits_and_gradients_stay_finite(prior):
    r = torch.tensor([0.0, 1.0, 5.0, 1e4, -1e6]).repeat(3).requires_grad_()
    sigma = torch.tensor([SIGMA_MIN, 1.0, 1e4]).repeat_interleave(5).requires_grad_()
    bits = symbol_bits(r, sigma, prior)
    bits.sum().backward()
    assert (bits >= 0).all()
    assert (bits <= -np.log2(PROBABILITY_MIN) + 1e-3).all()
    assert torch.isfinite(r.grad).all()
    assert torch.isfinite(sigma.grad).all()


@pytest.mark.parametrize("prior", ["laplace", "gaussian"])
def test_bits_gradients_against_differences(prior):
    cdf = DISTRIBUTIONS[prior].cdf

    def reference(r: float, sigma: float) -> float:
        return -np.log2(cdf((-abs(r) + 0.5) / sigma) - cdf((-abs(r) - 0.5) / sigma))

    for r, sigma in ((3.0, 1.5), (-2.0, 0.8), (1.0, 4.0)):
        x, s = torch.tensor(r, requires_grad=True), torch.tensor(sigma, requires_grad=True)
        symbol_bits(x, s, prior).backward()
        h = 1e-5
        slope_r = (reference(r + h, sigma) - reference(r - h, sigma)) / (2 * h)
        slope_s = (reference(r, sigma + h) - reference(r, sigma - h)) / (2 * h)
        assert x.grad.item() == pytest.approx(slope_r, rel=1e-3)
        assert s.grad.item() == pytest.approx(slope_s, rel=1e-3)


def test_bits_are_computed_in_float32_under_autocast():
    torch.manual_seed(0)
    module, c_check = NeuralCompression(8, 16), torch.randn(2, 8, 16, 16)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        compressed = module(c_check)
        prior = module.estimate_prior(c_check)
    assert compressed.bits.dtype == torch.float32
    assert all(value.dtype == torch.float32 for value in prior)
    torch.testing.assert_close(compressed.bits, module(c_check).bits, rtol=0.05, atol=1.0)


def test_module_shapes_and_positivity():
    torch.manual_seed(0)
    module, c_check = NeuralCompression(8, 16), 3 * torch.randn(2, 8, 16, 24)
    prior = module.estimate_prior(c_check)
    assert [value.shape for value in prior] == [(2, 16, 4, 6)] * 3
    assert prior.sigma.min() > 0
    assert prior.q.min() > 0
    compressed = module(c_check)
    assert compressed.c_tilde.shape == c_check.shape
    assert compressed.bits.shape == (2,)
    assert (compressed.bits > 0).all()


def test_decoder_sees_quantized_latents_only():
    """What reaches the decoder lies on the lattice of step q around mu q, whatever the encoder said."""
    torch.manual_seed(0)
    module = NeuralCompression(8, 16)
    seen = []
    module.decoder.register_forward_pre_hook(lambda _, args: seen.append(args[0]))
    c_check = torch.randn(1, 8, 16, 16)
    module(c_check)
    mu, _, q = module.estimate_prior(c_check)
    symbols = seen[0] / q - mu
    torch.testing.assert_close(symbols, symbols.round(), rtol=0, atol=1e-3)


def test_both_losses_reach_every_part():
    torch.manual_seed(0)
    module = NeuralCompression(8, 16)
    compressed = module(torch.randn(1, 8, 16, 16))
    compressed.bits.sum().backward(retain_graph=True)
    assert module.encoder[0].weight.grad.abs().max() > 0
    assert module.prior_model[0].weight.grad.abs().max() > 0
    module.zero_grad()
    compressed.c_tilde.square().sum().backward()  # stage 2: no rate term
    for name, parameter in module.named_parameters():
        assert parameter.grad.abs().max() > 0, name


def test_noq_is_the_plain_auto_encoder():
    torch.manual_seed(0)
    module, c_check = NeuralCompression(8, 16, quantize=False), torch.randn(1, 8, 16, 16)
    c_tilde, bits = module(c_check)
    assert bits is None
    assert module.prior_model is None
    torch.testing.assert_close(c_tilde, module.decoder(module.encoder(c_check)))


def test_nconv_keeps_the_shape_and_costs_no_bits():
    c_tilde, bits = NConv(8)(torch.randn(1, 8, 10, 12))
    assert c_tilde.shape == (1, 8, 10, 12)
    assert bits is None


def test_the_step_gradient_changes_what_is_learned_and_nothing_else():
    found = {}
    for kind in ("symbols", "rounding"):
        torch.manual_seed(0)
        module = NeuralCompression(8, 4, step_gradient=kind)
        c_tilde, bits = module(torch.randn(1, 8, 16, 16))
        c_tilde.square().mean().backward()
        *_, q = module.prior_model[-1].bias.grad.chunk(3)
        found[kind] = c_tilde.detach(), bits.detach(), q
    assert all(torch.equal(*(found[kind][i] for kind in found)) for i in (0, 1))
    assert not torch.allclose(found["symbols"][2], found["rounding"][2], rtol=0.1)
    with pytest.raises(InputError, match=r"^step_gradient: expected symbols, rounding, got 'exact'$"):
        NeuralCompression(8, 4, step_gradient="exact")


def test_unknown_prior_is_refused():
    with pytest.raises(InputError, match="laplace, gaussian"):
        NeuralCompression(8, 16, prior="cauchy")
