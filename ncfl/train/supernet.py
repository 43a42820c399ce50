"""All variants of the network trained together, without a rate term: the start that their trainings share.

The modules that the shipped network has begin as it has them; MVR's and NCFL's plain counterparts, M-Conv and N-Conv,
begin as the identity. Each iteration draws one variant and trains what that variant has. Motion estimation rests. What
is kept is the mean of the weights over the last hundreds of iterations, which falling rates bring to the same place.
"""

import random
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from ncfl.data.footage import PackStore
from ncfl.data.packed import Pack
from ncfl.data.sampler import TrainingSampler
from ncfl.models.compression import NConv
from ncfl.models.ncfl import NCFL
from ncfl.train.config import Stage, TrainConfig
from ncfl.train.losses import Loss, clip_loss
from ncfl.train.rate_start import start_rate
from ncfl.train.restoration import Frames, RestorationTask
from ncfl.train.state import TrainingState
from ncfl.train.trainer import Trainer

SHARES = {"m_a": 1, "m_b": 1, "m_c": 1, "m_d": 2, "m_e": 2, "m_f": 3}  # how often each variant is drawn
FORMS = {
    "m_a": ("plain", "none", False),
    "m_b": ("refined", "none", False),
    "m_c": ("conv", "none", False),
    "m_d": ("refined", "ncfl", False),
    "m_e": ("refined", "conv", False),
    "m_f": ("refined", "ncfl", True),
}
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


class Shared(nn.Module):
    """The supernet as the trainer takes it: all modules once, and the running mean of their weights beside them."""

    kind = "supernet"

    def __init__(self, network: NCFL, sampler: TrainingSampler) -> None:
        super().__init__()
        self.arguments = network.arguments
        variants, self.whole = build(network)
        self.variants = (variants,)  # in a tuple, where PyTorch does not look for parameters a second time
        start_rate(network, sampler)
        self.motion = network.motion  # where the trainer looks for what rests
        self.mean = {name: value.clone() for name, value in self.whole.state_dict().items()}
        for name, value in self.mean.items():
            self.register_buffer(f"mean {name}".replace(".", "/"), value)

    @torch.no_grad()
    def average(self, done: int) -> None:
        """Take the weights after ``done`` iterations into their mean."""
        now, keep = self.whole.state_dict(), min(AVERAGE, done / (done + 9))
        for name, value in self.mean.items():
            value.lerp_(now[name], 1 - keep)


class SupernetTask(RestorationTask):
    """Clips in, restored by the variant that an iteration draws."""

    def __init__(self, shared: Shared, sampler: TrainingSampler, config: TrainConfig) -> None:
        super().__init__(shared, sampler, config, config.stages[0])
        self.loss = _loss_of_a_variant

    def inputs(self, model: Shared, batch: Frames, iteration: int) -> dict[str, Any]:
        """The frames, and which variant restores them; the iteration before enters the mean of the weights."""
        if iteration:
            model.average(iteration)
        given = super().inputs(model, batch, iteration)
        return {"noisy": given["noisy"], "clean": given["clean"], "variant": draw(self.config.seed, iteration)}


def _loss_of_a_variant(model: Shared, *, noisy: list[Tensor], clean: list[Tensor], variant: str) -> Loss:
    network = model.variants[0][variant]
    return clip_loss(network, noisy, clean, rate_weight=0.0, motions=network.motions)


class SupernetConfig(TrainConfig):
    """Rates that stay for half of the iterations, where others fall from the start."""

    def rates(self, iteration: int) -> dict[str, float | None]:
        """As :func:`rate`; motion estimation rests."""
        return {"rest": rate(iteration, self.iterations), "motion": None}


def train(
    *,
    network: NCFL,
    pack: Pack,
    output: Path,
    iterations: int,
    seed: int,
    sigma: tuple[float, float],
    threads: int = 1,
    checkpoint_seconds: float = 60.0,
) -> dict[str, Tensor]:
    """Train; killed and called again it goes on.

    Args:
        network: an M_f whose memory works; trained in place.
        pack: what is seen.
        output: a folder, for the resume state.
        iterations: optimizer steps.
        seed: of every draw.
        sigma: noise, 0..255.
        threads, checkpoint_seconds: as in :class:`ncfl.train.config.TrainConfig`.

    Returns:
        The tensors of a start, as :mod:`ncfl.weights.shared_start` names them.

    Raises:
        NonFiniteLoss, Interrupted: as :meth:`ncfl.train.trainer.Trainer.run`.
    """
    config = SupernetConfig(
        stages=(Stage("start", iterations, rate_term=False),),
        learning_rate=LEARNING_RATE,
        betas=BETAS,
        weight_decay=0.0,
        grad_clip=GRAD_CLIP,
        batch=BATCH,
        frames=FRAMES,
        patch=PATCH,
        sigma=sigma,
        seed=seed,
        device="cpu",
        threads=threads,
        checkpoint_seconds=checkpoint_seconds,
    )
    torch.set_num_threads(threads)
    torch.manual_seed(seed)
    sampler = TrainingSampler(PackStore(pack, seed), patch=PATCH, frames=FRAMES, batch=BATCH, seed=seed, sigma=sigma)
    shared = Shared(network, sampler)

    def write(state: TrainingState) -> dict[str, Tensor]:
        shared.average(state.done)
        return tensors_of(shared.mean)

    return Trainer(
        model=shared,
        task=SupernetTask(shared, sampler, config),
        config=config,
        stage=config.stages[0],
        write=write,
        resume=Path(output) / "resume",
    ).run()


def draw(seed: int, iteration: int) -> str:
    """The variant of an iteration."""
    return random.Random(seed * 1_000_003 + iteration).choices(list(SHARES), list(SHARES.values()))[0]


def rate(iteration: int, iterations: int) -> float:
    """Learning rate: rises over the warm-up, stays, falls to zero in a line."""
    return LEARNING_RATE * min(1, (iteration + 1) / WARMUP) * min(1, (iterations - iteration) / (FALLING * iterations))


def tensors_of(whole: Mapping[str, Any]) -> dict[str, Tensor]:
    """The supernet's tensors under the names of :mod:`ncfl.weights.shared_start`, without motion estimation."""
    places = (
        ("ncfl.restoration.", "restoration."),
        ("ncfl.mv_refinement.", "mv_refinement.refined."),
        ("ncfl.attention.", "attention."),
        ("ncfl.compression.", "compression.ncfl."),
        ("mconv.", "mv_refinement.conv."),
        ("nconv.", "compression.conv."),
    )
    return {
        new + name[len(old) :]: value for name, value in whole.items() for old, new in places if name.startswith(old)
    }
