"""The motion estimation that ships: all ranges of motion, from near rest to beyond what a level of a pyramid sees.

Rendered pairs of three largest motions and real ones at three sizes; the coarse levels one after the other, then all
together on what warping is for. It goes on from motion that was trained before, or begins at the start of
:mod:`ncfl.train.motion.start`.
"""

from pathlib import Path

import torch

from ncfl.data.packed import Pack
from ncfl.models.motion import SPyNet
from ncfl.train.motion.levels import Level, together, train_motion
from ncfl.train.motion.pairs import render_pairs
from ncfl.train.motion.real_pairs import real_pairs
from ncfl.train.motion.start import start, widened
from ncfl.train.motion.synthetic import measure
from ncfl.weights import checkpoint

WIDTHS = (854, 568, 284)  # pixels, of the real clips
WINDOW = 256  # pixels, of all pairs
MOTIONS, RENDERED = (8.0, 24.0, 56.0), 60  # largest motion of rendered pairs, and how many there are of each
REAL = 360  # pairs
LEVELS = (Level(1100, 7e-4, 16, 256), Level(600, 5e-4, 8, 256), Level(250, 3e-4, 6, 160))  # the finest only with all
ALIGNED, ALIGNED_BATCH = 1000, 3
HELD_OUT_MOTIONS, HELD_OUT_PAIRS, HELD_OUT_SIZE = (6.0, 16.0, 48.0), 32, 192  # held-out rendered pairs


def pretrain(
    *,
    pack: Pack,
    output: Path,
    width: float,
    begin: SPyNet | None,
    seed: int,
    sigma: tuple[float, float],
    times: int = 1,
    threads: int = 1,
    checkpoint_seconds: float = 60.0,
) -> dict[str, dict[str, float]]:
    """Train, and write ``spynet.pt`` into ``output``; killed and called again it goes on.

    Args:
        pack: photographs and clips.
        output: a folder; finished levels and resume states lie in it.
        width: times the published channels.
        begin: motion estimation to go on from, of this width or half of it.
        seed: of every draw.
        sigma: noise of both frames, 0..255.
        times: how often as long as :data:`LEVELS` and :data:`ALIGNED` say, on as many times the rendered pairs.
        threads: of PyTorch.
        checkpoint_seconds: between two saves of the resume state.

    Returns:
        As :func:`ncfl.train.motion.synthetic.measure`, by the largest motion of rendered pairs of other photographs.
    """
    machine = {"device": "cpu", "threads": threads, "checkpoint_seconds": checkpoint_seconds}
    output, resume = Path(output), Path(output) / "resume"
    spynet, generator = SPyNet(levels=4, width=width), torch.Generator().manual_seed(seed)
    if begin is None:
        start(spynet, generator)
    else:
        begin = widened(begin, generator) if 2 * begin.arguments["width"] == width else begin
        checkpoint.load_weights(spynet, begin.state_dict(), "motion estimation to go on from")
    pools = [render_pairs(pack.photographs, times * RENDERED, WINDOW, seed + int(motion), motion) for motion in MOTIONS]
    pool = together(*pools, real_pairs(pack.clips, REAL, WINDOW, seed))
    shared = {"resume": resume, "seed": seed, "sigma": sigma, "machine": machine}
    levels, aligned = [level._replace(iterations=times * level.iterations) for level in LEVELS], times * ALIGNED
    train_motion(spynet, pool, levels, output=output, aligned=aligned, aligned_batch=ALIGNED_BATCH, **shared)
    extra = {"levels": [list(level) for level in levels], "aligned": aligned, "seed": seed, **pack.manifest}
    checkpoint.save(output / "spynet.pt", model=spynet, extra=extra)
    return {
        f"{motion:g}": measure(
            spynet, render_pairs(pack.held_out, HELD_OUT_PAIRS, HELD_OUT_SIZE, seed + 1, motion), seed
        )
        for motion in HELD_OUT_MOTIONS
    }
