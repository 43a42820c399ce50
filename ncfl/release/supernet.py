"""All variants of the network trained together, without a rate term: the start that their trainings share.

The modules that the shipped network has begin as it has them; MVR's and NCFL's plain counterparts, M-Conv and N-Conv,
begin as the identity. Each iteration draws one variant and trains what that variant has. Motion estimation rests. What
is kept is the mean of the weights over the last hundreds of iterations, which falling rates bring to the same place.
"""

import math
import random
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from ncfl.data.sampler import TrainingSampler
from ncfl.models.compression import NConv
from ncfl.models.ncfl import NCFL
from ncfl.release.footage import Footage
from ncfl.release.pack import Pack
from ncfl.train.losses import clip_loss, psnr
from ncfl.train.rate_start import start_rate
from ncfl.weights import checkpoint
from ncfl.weights.archive import read_archive

SHARES = {"m_a": 1, "m_b": 1, "m_c": 1, "m_d": 2, "m_e": 2, "m_f": 3}  # how often each variant is drawn
FORMS = {
    "m_a": ("plain", "none", False), "m_b": ("refined", "none", False), "m_c": ("conv", "none", False),
    "m_d": ("refined", "ncfl", False), "m_e": ("refined", "conv", False), "m_f": ("refined", "ncfl", True),
}  # fmt: skip
BATCH, FRAMES, PATCH = 2, 5, 48
LEARNING_RATE, BETAS, GRAD_CLIP, WARMUP = 4e-4, (0.9, 0.99), 0.3, 100
FALLING = 0.5  # share of the iterations at the end in which the rate falls to zero
AVERAGE = 0.998  # of the running mean of the weights
SMALL, LIFT = 0.05, 0.5  # N-Conv's usual start times this, beside the identity; added so that a LeakyReLU passes it on


class Supernet(NamedTuple):
    """Networks that share their modules.

    Attributes:
        variants: by name.
        whole: all modules once: ``ncfl``, ``mconv``, ``nconv``.
    """

    variants: dict[str, NCFL]
    whole: nn.ModuleDict


def build(network: NCFL) -> Supernet:
    """The supernet around ``network``, an M_f, whose modules it takes."""
    arguments = network.arguments
    variants = {
        name: NCFL(**{**arguments, "mv": mv, "compression": compression, "attention": attention})
        for name, (mv, compression, attention) in FORMS.items()
    }
    mconv, nconv = variants["m_c"].mv_refinement, variants["m_e"].compression
    _start_as_identity(nconv)
    for name, (mv, compression, attention) in FORMS.items():
        model = variants[name]
        model.motion, model.restoration = network.motion, network.restoration
        if mv == "refined":
            model.mv_refinement = network.mv_refinement
        if compression == "ncfl":
            model.compression = network.compression
        if attention:
            model.attention = network.attention
    return Supernet(variants, nn.ModuleDict({"ncfl": network, "mconv": mconv, "nconv": nconv}))


@torch.no_grad()
def _start_as_identity(nconv: NConv) -> None:
    layers = [layer for layer in nconv.body if isinstance(layer, nn.Conv2d)]
    for layer in layers:
        middle, channels = layer.kernel_size[0] // 2, range(layer.out_channels)
        layer.weight.mul_(SMALL)
        nn.init.zeros_(layer.bias)
        layer.weight[channels, channels, middle, middle] += 1
    layers[0].bias.fill_(LIFT)
    layers[-1].bias.fill_(-LIFT)


def train(
    *, network: NCFL, pack: Pack, output: Path, iterations: int, seed: int, sigma: tuple[float, float],
    threads: int = 1, checkpoint_seconds: float = 60.0, say: Callable[[str], None] = print,
) -> dict[str, Tensor]:  # fmt: skip
    """Train; killed and called again it goes on.

    Args:
        network: an M_f whose memory works; trained in place.
        pack: what is seen.
        output: a folder, for the resume state.
        iterations: optimizer steps.
        seed: of every draw.
        sigma: noise, 0..255.
        threads: of PyTorch.
        checkpoint_seconds: between two saves of the resume state.
        say: told how it goes.

    Returns:
        The tensors of a start, as :mod:`ncfl.weights.start` names them.
    """
    torch.set_num_threads(threads)
    torch.manual_seed(seed)
    variants, whole = build(network)
    sampler = TrainingSampler(Footage(pack, seed), patch=PATCH, frames=FRAMES, batch=BATCH, seed=seed, sigma=sigma)
    start_rate(network, sampler)
    whole.train().requires_grad_(True)
    network.motion.requires_grad_(False)
    trained = [parameter for parameter in whole.parameters() if parameter.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=LEARNING_RATE, betas=BETAS, weight_decay=0.0)
    mean = {name: value.clone() for name, value in whole.state_dict().items()}
    state, first = Path(output) / "resume.pt", 0
    if state.is_file():
        content = read_archive(state)
        whole.load_state_dict(content["weights"])
        optimizer.load_state_dict(content["optimizer"])
        mean, first = content["mean"], content["iterations"]
    saved, recent = time.monotonic(), []
    for iteration in range(first, iterations):
        name = draw(seed, iteration)
        batch = sampler.batch(iteration)
        for group in optimizer.param_groups:
            group["lr"] = rate(iteration, iterations)
        loss = clip_loss(
            variants[name], batch.noisy.unbind(1), batch.clean.unbind(1), rate_weight=0.0,
            motions=variants[name].motions,
        )  # fmt: skip
        loss.loss.backward()
        if math.isfinite(float(nn.utils.clip_grad_norm_(trained, GRAD_CLIP))):
            optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        _average(mean, whole.state_dict(), min(AVERAGE, (iteration + 1) / (iteration + 10)))
        recent.append(psnr(loss.l2.item()))
        done = iteration + 1
        if done % 100 == 0 or done == iterations:
            say(f"start: {done}/{iterations} iterations, {sum(recent) / len(recent):.2f} dB in training")
            recent.clear()
        if time.monotonic() - saved >= checkpoint_seconds or done == iterations:
            content = {"weights": whole.state_dict(), "optimizer": optimizer.state_dict(), "mean": mean}
            checkpoint.write(state, {**content, "iterations": done})
            saved = time.monotonic()
    return tensors_of(mean)


def draw(seed: int, iteration: int) -> str:
    """The variant of an iteration."""
    return random.Random(seed * 1_000_003 + iteration).choices(list(SHARES), list(SHARES.values()))[0]


def rate(iteration: int, iterations: int) -> float:
    """Learning rate: rises over the warm-up, stays, falls to zero in a line."""
    return LEARNING_RATE * min(1, (iteration + 1) / WARMUP) * min(1, (iterations - iteration) / (FALLING * iterations))


@torch.no_grad()
def _average(mean: Mapping[str, Tensor], now: Mapping[str, Tensor], keep: float) -> None:
    for name, value in now.items():
        mean[name].lerp_(value, 1 - keep)


def tensors_of(whole: Mapping[str, Any]) -> dict[str, Tensor]:
    """The supernet's tensors under the names of :mod:`ncfl.weights.start`, without motion estimation."""
    places = (
        ("ncfl.restoration.", "restoration."), ("ncfl.mv_refinement.", "mv_refinement.refined."),
        ("ncfl.attention.", "attention."), ("ncfl.compression.", "compression.ncfl."),
        ("mconv.", "mv_refinement.conv."), ("nconv.", "compression.conv."),
    )  # fmt: skip
    return {
        new + name[len(old) :]: value
        for name, value in whole.items()
        for old, new in places
        if name.startswith(old)
    }  # fmt: skip
