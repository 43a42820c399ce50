"""What a pretraining sees: windows of packed clips, forwards and backwards, and of scenes rendered from photographs."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from torch import Tensor

from ncfl.common.errors import InputError
from ncfl.data.packed import Pack, PackedClip
from ncfl.data.sampler import Batch, TrainingSampler
from ncfl.data.synthetic.outlines import OUTLINES
from ncfl.data.synthetic.scenes import Scene
from ncfl.data.variety import PLAIN, Variety

SCENES, SCENE_FRAMES, SCENE_SIZE = 32, 16, 160  # synthetic clips; frames of each; pixels, square
SCENE_MOTION = 8.0  # pixels per frame at most
REAL_SHARE = 0.75  # of the clips that are drawn
STATISTICS, STATISTICS_BATCHES = 96, 12  # pixels and number of what the start of a memory is fitted to


class Phase(NamedTuple):
    """A part of a training with windows of one size.

    Attributes:
        share: of the iterations; those of a schedule add up to 1.
        batch, frames, patch: clips, frames of each, pixels.
    """

    share: float
    batch: int
    frames: int
    patch: int


class PackStore:
    """The clips of a pack as :class:`ncfl.data.sampler.TrainingSampler` reads a store.

    Real ones are there forwards and backwards. They and the rendered ones are repeated such that
    :data:`REAL_SHARE` of what is drawn is real, and long clips are drawn more often than short ones.
    """

    root = "the pack"

    def __init__(self, pack: Pack, seed: int, *, scenes: int = SCENES) -> None:
        rendered = render(pack.photographs, scenes, seed) if scenes else []
        real = [clip for clip in pack.clips for _ in range(max(1, len(clip.frames) // 20))]
        real += [PackedClip(f"{clip.name} backwards", clip.frames[::-1]) for clip in real]
        copies = max(1, round(len(rendered) * REAL_SHARE / (1 - REAL_SHARE) / len(real)))
        self.clips = real * copies + rendered

    def split(self, name: str) -> list[PackedClip]:
        """All clips; there is one split."""
        return self.clips


def render(photographs: Mapping[str, np.ndarray], count: int, seed: int) -> list[PackedClip]:
    """``count`` scenes with known motion; scene i is a function of (seed, i)."""
    outlines = {name: OUTLINES[name] for name in photographs if name in OUTLINES}
    clips = []
    for number in range(count):
        rng = np.random.default_rng((seed, number))
        scene = Scene(
            photographs,
            SCENE_SIZE,
            SCENE_SIZE,
            rng,
            max_motion=SCENE_MOTION * float(rng.uniform(0.2, 1)),
            frames=SCENE_FRAMES,
            outlines=outlines if number % 2 else None,
        )
        clips.append(PackedClip(f"scene {number}", np.stack([scene.render(t) for t in range(SCENE_FRAMES)])))
    return clips


class PhasedSampler:
    """Batches whose size follows the phases of a training.

    Args:
        footage: the clips.
        phases: in order.
        iterations: of the whole training, which the phases share.
        seed: of every draw.
        sigma: noise range, 0..255.
        variety: as :class:`ncfl.data.sampler.TrainingSampler` takes it.

    Raises:
        InputError: shares that do not add up to 1, a clip that is too short or too small for a phase.
    """

    def __init__(
        self,
        footage: PackStore,
        *,
        phases: Sequence[Phase],
        iterations: int,
        seed: int,
        sigma: tuple[float, float],
        variety: Variety = PLAIN,
    ) -> None:
        if not phases or abs(sum(phase.share for phase in phases) - 1) > 1e-6:
            raise InputError(f"phases: expected shares whose sum is 1, got {[phase.share for phase in phases]}")
        self._ends, done = [], 0.0
        for phase in phases:
            done += phase.share
            self._ends.append(round(done * iterations))
        self._samplers = [
            TrainingSampler(
                footage,
                patch=phase.patch,
                frames=phase.frames,
                batch=phase.batch,
                seed=seed,
                sigma=sigma,
                variety=variety,
            )
            for phase in phases
        ]

    def batch(self, iteration: int) -> Batch:
        """The batch of one iteration of the whole training, from 0."""
        number = next((n for n, end in enumerate(self._ends) if iteration < end), len(self._ends) - 1)
        return self._samplers[number].batch(iteration)


def single_frames(footage: PackStore, *, seed: int, sigma: tuple[float, float]) -> list[Tensor]:
    """Noisy frames [4,3,H,W] each as a training sees them: what the start of a memory is fitted to."""
    sampler = PhasedSampler(
        footage, phases=(Phase(1.0, 4, 1, STATISTICS),), iterations=STATISTICS_BATCHES, seed=seed, sigma=sigma
    )
    return [sampler.batch(number).noisy[:, 0] for number in range(STATISTICS_BATCHES)]
