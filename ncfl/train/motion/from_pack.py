"""Motion estimation that ships: a SPyNet pretrained on rendered scenes and on the real clips of a pack.

:func:`level_by_level` is what ``tools/pretrain train`` begins with; :data:`ALL_RANGES` is what ``tools/pretrain
motion`` makes, from near rest to motion beyond what a level of a pyramid sees.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import torch

from ncfl.data.packed import Pack
from ncfl.models.motion import SPyNet
from ncfl.train.motion.first_filters import start, widened
from ncfl.train.motion.held_out import measure
from ncfl.train.motion.objectives import WARPING
from ncfl.train.motion.pairs import Pairs, render_pairs
from ncfl.train.motion.pretraining import PLAIN, Level, MotionRecipe, pretrain_motion
from ncfl.train.motion.real_pairs import real_pairs
from ncfl.train.state import TrainingState
from ncfl.weights import checkpoint

WIDTHS = (854, 568, 284)  # pixels, of the real clips for all ranges of motion


class Rendered(NamedTuple):
    """Rendered pairs: how many, their largest motion in pixels, what is added to the seed."""

    count: int
    max_motion: float
    seed: int = 0


class FromPack(NamedTuple):
    """What a pretraining on a pack consists of.

    Attributes:
        rendered: pools of rendered pairs.
        real: pairs from the clips.
        window: side of all of them, pixels.
        levels: trained alone, the coarsest first.
        together: all levels after that.
        held_out: pairs of other photographs to measure on, by the largest motion,
        held_out_window: and their side.
    """

    rendered: tuple[Rendered, ...]
    real: int
    window: int
    levels: tuple[Level, ...]
    together: Level
    held_out: tuple[Rendered, ...]
    held_out_window: int

    def times(self, factor: float) -> "FromPack":
        """So many times the iterations."""
        levels = tuple(level._replace(iterations=max(1, round(factor * level.iterations))) for level in self.levels)
        together = self.together._replace(iterations=round(factor * self.together.iterations))
        return self._replace(levels=levels, together=together)

    @property
    def iterations(self) -> int:
        """Of all parts."""
        return sum(part.iterations for part in (*self.levels, self.together))


ALL_RANGES = FromPack(
    rendered=(Rendered(60, 8.0, 8), Rendered(60, 24.0, 24), Rendered(60, 56.0, 56)),
    real=360,
    window=256,
    levels=(Level(1100, 7e-4, 16, 256), Level(600, 5e-4, 8, 256), Level(250, 3e-4, 6, 160)),  # the finest only with all
    together=Level(1000, 3e-4, 3, 128),
    held_out=(Rendered(32, 6.0, 1), Rendered(32, 16.0, 1), Rendered(32, 48.0, 1)),
    held_out_window=192,
)


def level_by_level(max_motion: float) -> FromPack:
    """All levels alone, then together; on rendered pairs of motion up to ``max_motion`` pixels."""
    return FromPack(
        rendered=(Rendered(160, max_motion),),
        real=640,
        window=256,
        levels=(
            Level(3000, 1e-3, 16, 256),
            Level(1500, 1e-3, 8, 256),
            Level(1000, 7e-4, 6, 160),
            Level(800, 5e-4, 4, 96),
        ),
        together=Level(3000, 3e-4, 4, 128),
        held_out=(Rendered(48, max_motion, 1),),
        held_out_window=96,
    )


def pretrain(
    plan: FromPack,
    *,
    pack: Pack,
    output: Path,
    resume: Path,
    spynet: SPyNet,
    seed: int,
    sigma: tuple[float, float],
    extra: Mapping[str, Any] | None = None,
    machine: Mapping[str, Any] = PLAIN,
) -> dict[str, dict[str, float]]:
    """Train, and write ``spynet.pt`` into ``output``; killed and called again it goes on.

    Args:
        plan: pairs and iterations.
        pack: photographs and clips.
        output: a folder; finished levels lie in it, too.
        resume: a folder for the resume state.
        spynet: as it begins (:func:`begun`); trained in place.
        seed: of every draw.
        sigma: noise of both frames, 0 ... 255.
        extra: plain data that goes into the checkpoint beside what the plan says.
        machine: as for :class:`ncfl.train.motion.pretraining.MotionRecipe`.

    Returns:
        As :func:`ncfl.train.motion.held_out.measure`, by the largest motion of rendered pairs of other photographs.
    """
    rendered = [render_pairs(pack.photographs, n, plan.window, seed + own, motion) for n, motion, own in plan.rendered]
    pool = together(*rendered, real_pairs(pack.clips, plan.real, plan.window, seed))
    recipe = MotionRecipe(
        levels=plan.levels, together=plan.together, criterion=WARPING, sigma=sigma, seed=seed, machine=machine
    )
    about = {"levels": [list(level) for level in plan.levels], "aligned": plan.together.iterations}

    def write(_: TrainingState | None) -> dict[str, dict[str, float]]:
        found = {}
        for count, motion, own in plan.held_out:
            pairs = render_pairs(pack.held_out, count, plan.held_out_window, seed + own, motion)
            found[f"{motion:g}"] = measure(spynet, pairs, seed)
        checkpoint.save(Path(output) / "spynet.pt", model=spynet, extra={**about, **(extra or {})})
        return found

    return pretrain_motion(spynet, pool, recipe, output=output, resume=resume, write=write)


def begun(width: float, seed: int, begin: SPyNet | None = None, *, levels: int = 4) -> SPyNet:
    """A SPyNet at its start, or with the weights of ``begin``, which has this width or half of it."""
    spynet, generator = SPyNet(levels=levels, width=width), torch.Generator().manual_seed(seed)
    if begin is None:
        start(spynet, generator)
        return spynet
    begin = widened(begin, generator) if 2 * begin.arguments["width"] == width else begin
    checkpoint.load_weights(spynet, begin.state_dict(), "motion estimation to go on from")
    return spynet


def together(*pools: Pairs) -> Pairs:
    """The pairs of several pools in one."""
    return Pairs(*map(torch.cat, zip(*pools, strict=True)))
