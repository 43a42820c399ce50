"""Neural compression-based feature learning (NCFL, Fig. 2): prior model, adaptive quantization, its cost."""

import math
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ncfl.common.errors import InputError
from ncfl.models.layers import SLOPE, conv3, deconv3

SIGMA_MIN = 0.1  # steps; a narrower prior could not be told from certainty: 0.5 steps are then 5 sigma
STEP_MIN = 1e-3  # latent units; keeps e / q finite
INITIAL_STEP = 0.1  # latent units; about the spread of e before training, so that information passes at once
PROBABILITY_MIN = 1e-9  # 29.9 bits: what one symbol can cost at most
PRIORS = ("laplace", "gaussian")
STEP_GRADIENTS = ("symbols", "rounding")


class Compressed(NamedTuple):
    """c_tilde: noise-robust features [B,F,H,W]; bits: estimated bits of e_hat, one sum per clip [B]."""

    c_tilde: Tensor
    bits: Tensor | None


class Prior(NamedTuple):
    """One value per latent [B,W,h,w], float32: mean and scale in quantization steps, step in latent units."""

    mu: Tensor
    sigma: Tensor
    q: Tensor


def straight_through_round(x: Tensor) -> Tensor:
    """round(x) with the gradient of x."""
    return x + (x.round() - x).detach()


def adaptive_quantization(e_t: Tensor, mu: Tensor, q: Tensor, step_gradient: str = "symbols") -> tuple[Tensor, Tensor]:
    """e_hat = q (r + mu) with r = round(e_t / q - mu); gives (e_hat, r), both of e_t's shape.

    e_hat's gradient by mu is the true one, q, wherever the rounding does not flip, and so is that by q, r + mu, where
    ``step_gradient`` is "symbols", which then stay as they are: stage 2 tunes both by L2 alone. But where steps are
    fine, symbols do not stay, and e_hat is near e_t for any q: "rounding" gives q the rounding error,
    r - (e_t / q - mu), as learned step sizes have it (Esser et al. 2020). By e_t, where the true gradient is zero, it
    is that of a straight line. r, which the rate is counted of, has the straight-through gradient in all three.
    """
    r = straight_through_round(e_t / q - mu)
    straight = e_t - e_t.detach()
    if step_gradient == "symbols":
        return q * (r.detach() + mu) + straight, r
    error = (r + mu - e_t / q).detach()
    return q.detach() * (r.detach() + mu) + straight + (q - q.detach()) * error, r


def _log_cdf(x: Tensor, prior: str) -> Tensor:
    """log of the standard cumulative distribution at x <= 0.5 steps / sigma, without cancellation."""
    if prior == "gaussian":
        return torch.special.log_ndtr(x)
    below = x.clamp(max=0) - math.log(2)
    above = torch.log1p(-0.5 * torch.exp(-x.clamp(min=0)))
    return torch.where(x < 0, below, above)


def symbol_bits(r: Tensor, sigma: Tensor, prior: str = "laplace") -> Tensor:
    """-log2 of the probability of [r - 1/2, r + 1/2] under a zero-mean prior of scale sigma.

    r, sigma: any equal shapes, in quantization steps; sigma is the Laplace scale or the standard deviation.
    Computed in float32 in the log domain on the lower tail (r and -r are equally likely); at most 29.9 bits.
    """
    r, sigma = -r.float().abs(), sigma.float()
    upper, lower = _log_cdf((r + 0.5) / sigma, prior), _log_cdf((r - 0.5) / sigma, prior)
    # log(exp(u) - exp(l)) = u + log(1 - exp(l - u)), and u - l > 0
    log_probability = upper + torch.log(-torch.expm1(lower - upper))
    return log_probability.clamp(min=math.log(PROBABILITY_MIN)) / -math.log(2)


class NeuralCompression(nn.Module):
    """The NCFL module: what does not survive its bottleneck is noise.

    c_check --+-- encoder (conv s2, conv s2) -------------- e_t --> adaptive quantization --> e_hat
              |                                                          ^                      |
              +-- prior model (conv, conv s2, conv s2) --> mu, sigma, q -+            decoder (deconv s2 x2)
                                                                                                |
                                                                                             c_tilde
    All kernels are 3x3. quantize=False (NCFL-NoQ) passes e_t on and has no prior model.
    """

    def __init__(
        self,
        feature_width: int,
        width: int = 64,
        *,
        prior: str = "laplace",
        step_gradient: str = "symbols",
        quantize: bool = True,
    ) -> None:
        super().__init__()
        if prior not in PRIORS:
            raise InputError(f"prior: expected {', '.join(PRIORS)}, got {prior!r}")
        if step_gradient not in STEP_GRADIENTS:
            raise InputError(f"step_gradient: expected {', '.join(STEP_GRADIENTS)}, got {step_gradient!r}")
        self.prior, self.step_gradient = prior, step_gradient
        self.encoder = nn.Sequential(
            conv3(feature_width, width, stride=2),
            nn.LeakyReLU(SLOPE, inplace=True),
            conv3(width, width, stride=2),
        )
        self.decoder = nn.Sequential(
            deconv3(width, width), nn.LeakyReLU(SLOPE, inplace=True), deconv3(width, feature_width)
        )
        self.prior_model = self._build_prior_model(feature_width, width) if quantize else None

    @staticmethod
    def _build_prior_model(feature_width: int, width: int) -> nn.Sequential:
        last = conv3(width, 3 * width, stride=2)
        with torch.no_grad():  # mu = 0, sigma = 1 step and q = INITIAL_STEP, as far as the bias decides
            mu, sigma, q = last.bias.chunk(3)
            mu.zero_()
            sigma.fill_(math.log(math.expm1(1 - SIGMA_MIN)))
            q.fill_(math.log(math.expm1(INITIAL_STEP - STEP_MIN)))
        return nn.Sequential(
            conv3(feature_width, width),
            nn.LeakyReLU(SLOPE, inplace=True),
            conv3(width, width, stride=2),
            nn.LeakyReLU(SLOPE, inplace=True),
            last,
        )

    def estimate_prior(self, c_check: Tensor) -> Prior:
        """c_check [B,F,H,W] -> mu, sigma > 0, q > 0, each [B,W,H/4,W/4]."""
        return self.prior_of(self.prior_model(c_check))

    @staticmethod
    def prior_of(given: Tensor) -> Prior:
        """What the prior model gave [B,3W,H/4,W/4] -> the prior."""
        mu, sigma, q = given.float().chunk(3, dim=1)
        return Prior(mu, F.softplus(sigma) + SIGMA_MIN, F.softplus(q) + STEP_MIN)

    def forward(self, c_check: Tensor) -> Compressed:
        """c_check [B,F,H,W], H and W multiples of 4 -> c_tilde of the same shape, bits [B] (None: NoQ)."""
        e_t = self.encoder(c_check)
        if self.prior_model is None:
            return Compressed(self.decoder(e_t), None)
        mu, sigma, q = self.estimate_prior(c_check)
        e_hat, r = adaptive_quantization(e_t.float(), mu, q, self.step_gradient)
        return Compressed(self.decoder(e_hat), symbol_bits(r, sigma, self.prior).sum((1, 2, 3)))


class NConv(nn.Module):
    """N-Conv of the ablation: convolutions at full resolution, no auto-encoder, instead of the NCFL module.

    c_check -> 1x1 -> four 3x3 -> 1x1 -> c_tilde, all of the features' width, LeakyReLU between.
    """

    def __init__(self, feature_width: int, layers: int = 4) -> None:
        super().__init__()
        body: list[nn.Module] = [nn.Conv2d(feature_width, feature_width, 1)]
        for _ in range(layers):
            body += [nn.LeakyReLU(SLOPE, inplace=True), conv3(feature_width, feature_width)]
        body += [nn.LeakyReLU(SLOPE, inplace=True), nn.Conv2d(feature_width, feature_width, 1)]
        self.body = nn.Sequential(*body)

    def forward(self, c_check: Tensor) -> Compressed:
        """c_check [B,F,H,W] -> c_tilde of the same shape, no bits."""
        return Compressed(self.body(c_check), None)
