"""Does the paper's claim hold? The same network with and without what it rests on, each with a memory that works.

All start from one network that restores single frames. It is given a memory (:mod:`ncfl.train.memory_start`), with or
without the neural compression in its path, and trained in two stages with the same data, budget and motion estimation.
What was finished is not done again; a killed training goes on.
"""

import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import nn

from ncfl.common.files import read_json, write_csv, write_json
from ncfl.common.text import pipe_table
from ncfl.data.footage import PackStore as Clips
from ncfl.data.footage import PhasedSampler, single_frames
from ncfl.data.packed import Pack
from ncfl.evaluate.quality import SETTLED, WithoutMemory, quality, read_clip
from ncfl.methods.interface import Recurrent
from ncfl.methods.median.method import Median
from ncfl.methods.networks import method_of
from ncfl.methods.noisy import Noisy
from ncfl.models.variants import VARIANTS, rebuild
from ncfl.train.config import two_stages
from ncfl.train.memory_start import start_memory
from ncfl.train.recipes import SIGMA, Recipe, training_numbers
from ncfl.train.restoration import train_stages
from ncfl.weights import checkpoint

SIGMAS = (30, 50)
FRAMES = 10  # of each clip at most
NOISE_SEED = 2022  # of what is measured on: the same noise for every training


class ComparedSide(NamedTuple):
    """One side of a comparison: the variant, and lambda in its first stage (0: no rate term)."""

    variant: str
    rate_weight: float


NETWORKS = {
    "M_b": ComparedSide("m_b", 0.0),
    "M_d": ComparedSide("m_d", 1 / 2048),
    # The published lambda empties the memory in a short training.
    "M_d, weak rate term": ComparedSide("m_d", 1 / 2048 / 64),
    "M_d, no rate term": ComparedSide("m_d", 0.0),
}
PAIRS = (
    ("M_d", "M_b"),
    ("M_d, weak rate term", "M_b"),
    ("M_d, no rate term", "M_b"),
    ("M_d", "M_d, no rate term"),
    ("M_d, weak rate term", "M_d, no rate term"),
)


def started(compared: ComparedSide, source: checkpoint.Checkpoint, motion: checkpoint.Checkpoint | None) -> nn.Module:
    """The variant, of the source's sizes, with its restoration and motion estimation; the rest is as it is made."""
    sizes = {key: value for key, value in source.arguments.items() if key not in ("mv", "compression", "attention")}
    sizes.pop("unets", None)
    model = VARIANTS[compared.variant](**sizes)
    whole = rebuild(source.kind, source.arguments)
    checkpoint.load_weights(whole, source.state, source.path)
    model.restoration.load_state_dict(whole.restoration.state_dict())
    model.motion.load_state_dict(whole.motion.state_dict())
    if motion is not None:
        checkpoint.load_weights(model.motion, motion.state, motion.path)
    return model


def train(
    name: str,
    *,
    pack: Pack,
    recipe: Recipe,
    source: checkpoint.Checkpoint,
    motion: checkpoint.Checkpoint | None,
    seed: int,
    iterations: tuple[int, int],
    output: Path,
) -> Path:
    """Train one of :data:`NETWORKS` in two stages; the path of its last checkpoint."""
    compared, phases = NETWORKS[name], recipe.with_memory
    config = training_numbers(
        {**recipe.training, **recipe.again},
        phases,
        two_stages(*iterations),
        seed=seed,
        threads=1,
        device="cpu",
        lambda_=compared.rate_weight,
        freeze_motion=sum(iterations),
    )
    clips = Clips(pack, seed)
    sampler = PhasedSampler(clips, phases=phases, iterations=config.iterations, seed=seed, sigma=SIGMA)
    torch.manual_seed(seed)
    model = started(compared, source, motion)
    start_memory(model, single_frames(clips, seed=seed, sigma=SIGMA))
    folder = output / slug(name)
    where = {"output": folder, "resume": folder / "resume", "label": f"{name}, seed {seed},"}
    return train_stages(model=model, sampler=sampler, config=config, **where)


def measured(trained: Path, clips: Sequence[Path]) -> dict[str, dict[str, dict[str, float]]]:
    """Clip -> sigma -> ``psnr`` over all frames, ``memory``: gain from frame 5 on over the memory emptied; dB."""
    network = method_of(checkpoint.load_model(trained), name="network", channels_last=True)
    assert isinstance(network, Recurrent)
    result: dict[str, dict[str, dict[str, float]]] = {}
    for path in clips:
        footage = read_clip(path, FRAMES)
        of_clip = result[footage.name] = {}
        for sigma in SIGMAS:
            own, blank = (
                quality(method, footage, sigma, NOISE_SEED)["psnr"] for method in (network, WithoutMemory(network))
            )
            of_clip[str(sigma)] = {
                "psnr": statistics.fmean(own),
                "memory": statistics.fmean(a - b for a, b in zip(own[SETTLED:], blank[SETTLED:], strict=True)),
            }
    return result


def classical(clips: Sequence[Path]) -> dict[str, dict[str, dict[str, float]]]:
    """Name of a filter -> clip -> sigma -> PSNR in dB."""
    filters = {"noisy input": Noisy(), "median 5x5": Median(5)}
    footage = [read_clip(path, FRAMES) for path in clips]
    return {
        name: {
            clip.name: {
                str(sigma): statistics.fmean(quality(method, clip, sigma, NOISE_SEED)["psnr"]) for sigma in SIGMAS
            }
            for clip in footage
        }
        for name, method in filters.items()
    }


def compare(
    *,
    pack: Pack,
    recipe: Recipe,
    source: checkpoint.Checkpoint,
    motion: checkpoint.Checkpoint | None,
    clips: Sequence[Path],
    seeds: Sequence[int],
    iterations: tuple[int, int],
    output: Path,
) -> str:
    """Train and measure all of :data:`NETWORKS` with each seed; ``claim.csv`` and ``claim.md`` in ``output``.

    Args:
        pack: what is trained on.
        recipe: of the trainings.
        source: a network that restores single frames, of kind ``ncfl``.
        motion: motion estimation in place of its own, or None. It rests.
        clips: what is measured on; none of them in the pack.
        seeds: of the trainings.
        iterations: of stage 1 (with the rate term, where there is one) and stage 2.
        output: a folder.

    Returns:
        The tables as Markdown.
    """
    figures: dict[str, dict[int, Any]] = {name: {} for name in NETWORKS}
    for seed in seeds:
        for name in NETWORKS:
            place = output / f"seed-{seed}"
            trained = train(
                name,
                pack=pack,
                recipe=recipe,
                source=source,
                motion=motion,
                seed=seed,
                iterations=iterations,
                output=place,
            )
            kept = place / slug(name) / "measured.json"
            if not kept.is_file():
                write_json(kept, measured(trained, clips))
            figures[name][seed] = read_json(kept)
    text = tables(figures, classical(clips), output / "claim.csv")
    (output / "claim.md").write_text(text, encoding="utf-8")
    return text


def tables(figures: dict[str, dict[int, Any]], filters: dict[str, Any], path: Path) -> str:
    """A table per clip, and what the pairs differ by with the spread over the seeds; all figures into ``path`` too."""
    seeds = list(next(iter(figures.values())))
    columns = [(str(sigma), seed) for sigma in SIGMAS for seed in seeds]
    lines, rows = [], []
    for clip in next(iter(filters.values())):
        heads = [f"sigma {sigma}, seed {seed}" for sigma, seed in columns]
        shown = []
        for name, by_seed in figures.items():
            found = [by_seed[seed][clip][sigma] for sigma, seed in columns]
            shown.append([name, *(f"{one['psnr']:.2f} ({one['memory']:+.2f})" for one in found)])
            rows += [
                [clip, name, *column, f"{one['psnr']:.4f}", f"{one['memory']:.4f}"]
                for column, one in zip(columns, found, strict=True)
            ]
        for name, by_clip in filters.items():
            shown.append([name, *(f"{by_clip[clip][sigma]:.2f}" for sigma, _ in columns)])
            rows += [[clip, name, sigma, "", f"{value:.4f}", ""] for sigma, value in by_clip[clip].items()]
        table = pipe_table(["PSNR, dB (gain from memory)", *heads], shown)
        lines += [f"{clip}:", "", table, "", *_differences(figures, clip, seeds), ""]
    write_csv(path, ["clip", "network", "sigma", "seed", "psnr_db", "memory_gain_db"], rows)
    return "\n".join(lines)


def _differences(figures: dict[str, dict[int, Any]], clip: str, seeds: Sequence[int]) -> list[str]:
    found = []
    for one, other in PAIRS:
        for sigma in map(str, SIGMAS):
            gains = [
                figures[one][seed][clip][sigma]["psnr"] - figures[other][seed][clip][sigma]["psnr"] for seed in seeds
            ]
            spread = f"{min(gains):+.2f} to {max(gains):+.2f}"
            found.append(f"- {one} against {other}, sigma {sigma}: mean {statistics.fmean(gains):+.2f} dB, {spread}")
    return found


def slug(name: str) -> str:
    """A folder's name."""
    return name.lower().replace("_", "-").replace(", ", "-").replace(" ", "-")
