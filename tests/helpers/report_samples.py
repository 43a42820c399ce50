"""Made-up results folders for the report's tests: no figure in here was measured on anything."""

import csv
import itertools
import json
from pathlib import Path

import numpy as np

from ncfl.report.results import MeasuredExperiment

SIGMAS = (10, 20, 30, 40, 50)
EXPERIMENTS = {
    "ncfl-davis": MeasuredExperiment({"davis": SIGMAS, "set8": SIGMAS}, "demo stand-in", "m_f", 1 / 2048),
    "modules-a": MeasuredExperiment({"set8": (50,)}, "demo stand-in", "m_a", 1 / 2048),
    "lambda-256": MeasuredExperiment({"set8": (50,)}, "demo stand-in", "m_f", 1 / 256),
    "clean-adapq": MeasuredExperiment({"davis": (0,)}, "demo stand-in"),
    "clean-noq": MeasuredExperiment({"davis": (0,)}, "demo stand-in"),
    "noisy": MeasuredExperiment({"davis": SIGMAS, "set8": SIGMAS}),
    "median-3x3": MeasuredExperiment({"davis": SIGMAS, "set8": SIGMAS}),
    "median-5x5": MeasuredExperiment({"set8": SIGMAS}),
    "ncfl-ntu-rain": MeasuredExperiment({"ntu-rain": (0,)}, "demo stand-in"),
    "ncfl-crvd": MeasuredExperiment({"crvd": (0,)}, "demo stand-in"),
    "ncfl-revide": MeasuredExperiment({"revide": (0,)}, "demo stand-in"),
    "fastdvdnet-davis": MeasuredExperiment({"davis": SIGMAS, "set8": SIGMAS}, "demo stand-in", obtained="own training"),
    "fastderain": MeasuredExperiment({"ntu-rain": (0,)}, obtained="no training"),
}
MODEL = {"unet_widths": (8, 8, 8, 8, 8), "attention_widths": (4, 4, 4)}  # sizes of a network that is drawn
SPACES = {"ntu-rain": ("y", "rgb"), "crvd": ("raw", "srgb")}  # else rgb alone
MADE_UP_PSNR = {name: 11.0 + i for i, name in enumerate(EXPERIMENTS)}


def made_up_psnr(name: str, dataset: str, sigma: float) -> float:
    """The made-up figure of one cell: every experiment, dataset and sigma has another one."""
    return MADE_UP_PSNR[name] + (0.5 if dataset == "davis" else 0.0) + sigma / 1000


def level(name: str, dataset: str, sigma: float, place: int = 0) -> dict[str, float]:
    """The figures of one noise level in the first space, or the next: each space 0.25 dB under the one before."""
    psnr, ssim = made_up_psnr(name, dataset, sigma) - place / 4, 0.5 + sigma / 1000
    return {"psnr": psnr, "ssim": ssim, "input_psnr": psnr - 2, "input_ssim": ssim - 0.125}


BY_MOTION = {"0 to 1 px": 0.375, "3 to 12 px": -0.25}
MEMORY = {
    "modules-a": {"50": {"worth": 0.25}},
    "ncfl-davis": {"50": {"worth": -0.125, "bits_per_pixel": 0.5, "nonzero": 0.0625, "by_motion": BY_MOTION}},
}


def summary(name: str, *, source: str = "demo", stand_in: bool = True, part: object = None) -> dict:
    """A summary in the form that an evaluation writes."""
    datasets = {}
    for dataset, sigmas in EXPERIMENTS[name].evaluate.items():
        first, *others = SPACES.get(dataset, ("rgb",))
        datasets[dataset] = {
            "source": source,
            "stand_in": stand_in,
            **({} if part is None else {"part": part}),
            "space": first,
            "sequences": 3,
            "frames": 12,
            "sigma": {str(s): level(name, dataset, s) for s in sigmas},
            "spaces": {space: {str(s): level(name, dataset, s, 1) for s in sigmas} for space in others},
            "memory": MEMORY.get(name),
        }
    return {"experiment": name, "method": name, "datasets": datasets}


def write_results(root: Path, **data: object) -> Path:
    """A whole made-up results folder; ``data`` goes to :func:`summary`."""
    for name in EXPERIMENTS:
        write(root / "experiments" / name / "evaluation" / "summary.json", summary(name, **data))
    counts = {"M_a": 540.0, "M_f": 770.0}
    entries = [{"method": m, "preset": "published", "parameters": 1, "gflops": g} for m, g in counts.items()]
    write(root / "complexity" / "complexity.json", entries)
    return root


def write(path: Path, value: object) -> None:
    """JSON at a path whose folder may not exist yet."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value))


def write_examples(root: Path, *, size: tuple[int, int] = (48, 80), sigma: int = 50) -> None:
    """Kept example frames of a made-up picture: clean, degraded, and one restored frame per experiment."""
    height, width = size
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:height, :width]
    clean = np.stack([255 * x / width, 255 * y / height, 127 + 120 * np.sin(x * y / 40)], -1)
    noise = rng.normal(0, sigma, clean.shape)
    left_over = {"ncfl-davis": 0.2, "fastdvdnet-davis": 0.3, "median-3x3": 0.4, "median-5x5": 0.5, "noisy": 1.0}
    for name, left in left_over.items():
        _write_example(root, name, "set8", sigma, clean, clean + noise, clean + left * noise)
    _write_inside(root / "experiments" / "ncfl-davis" / "evaluation" / "examples" / "set8", sigma, x, y)
    for dataset in ("ntu-rain", "revide", "crvd"):
        _write_example(root, f"ncfl-{dataset}", dataset, 0, clean, clean + 40, clean + 10)


def _write_inside(folder: Path, sigma: int, x: np.ndarray, y: np.ndarray) -> None:
    maps = {key: x / x.max() for key in ("attention", "c_check", "c_tilde")}
    motion = {"mv": np.stack([x - 40, y - 24]) / 10, "mv_refined": np.stack([x, y]) / 10}
    latents = {"step": x[::4, ::4] / 80, "bits": y[::4, ::4] / 48}
    arrays = {key: array.astype(np.float16) for key, array in (maps | motion | latents).items()}
    np.savez_compressed(folder / f"clip_a_3_sigma{sigma}_inside.npz", **arrays)


def _write_example(root: Path, name: str, dataset: str, sigma: int, *frames: np.ndarray) -> None:
    import cv2

    folder = root / "experiments" / name / "evaluation" / "examples" / dataset
    folder.mkdir(parents=True, exist_ok=True)
    suffixes = ("_clean", f"_sigma{sigma}_input", f"_sigma{sigma}")
    for suffix, picture in zip(suffixes, frames, strict=True):
        pixels = np.clip(picture, 0, 255).astype(np.uint8)
        cv2.imwrite(str(folder / f"clip_a_3{suffix}.png"), pixels[..., ::-1])


def write_frames(root: Path, frames: int = 4) -> None:
    """Figures of every frame of three sequences, the second always 1 dB above the first and the third below."""
    keys = ("dataset", "sequence", "frame", "sigma", "space", "psnr", "ssim", "input_psnr", "input_ssim")
    for name, experiment in EXPERIMENTS.items():
        with (root / "experiments" / name / "evaluation" / "frames.csv").open("w", newline="") as file:
            rows = csv.writer(file)
            rows.writerow(keys)
            for dataset, sigmas in experiment.evaluate.items():
                for place, sequence in enumerate("abc"):
                    for sigma, frame in itertools.product(sigmas, range(frames)):
                        psnr = made_up_psnr(name, dataset, sigma) + (0, 1, -1)[place]
                        space = SPACES.get(dataset, ("rgb",))[0]
                        rows.writerow((dataset, sequence, frame, sigma, space, psnr, 0.5, 10, 0.3))


def read(path: Path) -> list[dict[str, str]]:
    """The rows of a table's CSV."""
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def find(rows: list[dict[str, str]], **keys: str) -> dict[str, str]:
    """The one row that has these values."""
    (row,) = [row for row in rows if keys.items() <= row.items()]
    return row
