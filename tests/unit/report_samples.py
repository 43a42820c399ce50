"""Made-up results folders for the report's tests: no figure in here was measured on anything."""

import json
from pathlib import Path

import numpy as np

from ncfl.report.results import Experiment

SIGMAS = (10, 20, 30, 40, 50)
EXPERIMENTS = {
    "ncfl-davis": Experiment({"davis": SIGMAS, "set8": SIGMAS}, "demo stand-in", "m_f", 1 / 2048),
    "modules-a": Experiment({"set8": (50,)}, "demo stand-in", "m_a", 1 / 2048),
    "lambda-256": Experiment({"set8": (50,)}, "demo stand-in", "m_f", 1 / 256),
    "clean-adapq": Experiment({"davis": (0,)}, "demo stand-in"),
    "clean-noq": Experiment({"davis": (0,)}, "demo stand-in"),
    "noisy": Experiment({"davis": SIGMAS, "set8": SIGMAS}),
    "median-3x3": Experiment({"davis": SIGMAS, "set8": SIGMAS}),
    "median-5x5": Experiment({"set8": SIGMAS}),
}
MADE_UP_PSNR = {name: 11.0 + i for i, name in enumerate(EXPERIMENTS)}


def made_up_psnr(name: str, dataset: str, sigma: float) -> float:
    """The made-up figure of one cell: every experiment, dataset and sigma has another one."""
    return MADE_UP_PSNR[name] + (0.5 if dataset == "davis" else 0.0) + sigma / 1000


def summary(name: str, *, source: str = "demo", stand_in: bool = True) -> dict:
    """A summary in the form that an evaluation writes."""
    head = {"source": source, "stand_in": stand_in, "sequences": 3, "frames": 12}
    datasets = {}
    for dataset, sigmas in EXPERIMENTS[name].evaluate.items():
        levels = {str(s): {"psnr": made_up_psnr(name, dataset, s), "ssim": 0.5 + s / 1000} for s in sigmas}
        datasets[dataset] = head | {"sigma": levels}
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
    """Kept example frames of a made-up picture: clean, noisy, and one restored frame per experiment."""
    import cv2

    height, width = size
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:height, :width]
    clean = np.stack([255 * x / width, 255 * y / height, 127 + 120 * np.sin(x * y / 40)], -1)
    noise = rng.normal(0, sigma, clean.shape)
    for name, left in {"ncfl-davis": 0.2, "median-3x3": 0.4, "median-5x5": 0.5, "noisy": 1.0}.items():
        folder = root / "experiments" / name / "evaluation" / "examples" / "set8"
        folder.mkdir(parents=True, exist_ok=True)
        restored, noisy = clean + left * noise, clean + noise
        pictures = {f"_sigma{sigma}": restored, f"_sigma{sigma}_noisy": noisy, "_clean": clean}
        for suffix, picture in pictures.items():
            pixels = np.clip(picture, 0, 255).astype(np.uint8)
            cv2.imwrite(str(folder / f"clip_a_3{suffix}.png"), pixels[..., ::-1])
