"""Does the paper's claim hold at a small size? Trainings with and without what it rests on, by several seeds.

    .venv/bin/python tools/claim.py FOLDER OUTPUT [--hold-out NAME ...] [--seeds 2022 2023] [--iterations 1000 2000]

FOLDER holds clips, as for the preset `clips`. Three networks of that preset's sizes are trained on all of them but the
held-out ones, with the same recipe, data and budget: M_b (motion estimation and its refinement alone), M_d (with
the neural compression) and M_d without the rate term in its first stage. What was finished is not done again; a killed
training goes on. Writes OUTPUT/claim.csv and OUTPUT/claim.md: PSNR on the held-out clips, per seed, and what differs.
"""

import argparse
import csv
import statistics
import subprocess
import sys
from pathlib import Path

import yaml

from ncfl import layout
from ncfl.files import read_json

ROOT = Path(__file__).resolve().parents[1]
SIGMAS = (30, 50)
NETWORKS = {"M_b": ("m_b", None), "M_d": ("m_d", 2048), "M_d, no rate term": ("m_d", None)}
PAIRS = (("M_d", "M_b"), ("M_d", "M_d, no rate term"))


def slug(network: str) -> str:
    """The experiment's name."""
    return network.lower().replace("_", "-").replace(", ", "-").replace(" ", "-")


def parameters(footage: Path, hold_out: list[str], seed: int, iterations: tuple[int, int]) -> dict:
    """The preset `clips` with three experiments, on this footage."""
    params = yaml.safe_load((ROOT / "presets" / "clips.yaml").read_text())
    params["seed"] = seed
    params["machine"] |= {"device": "cpu", "mlflow_experiment": None}
    params["datasets"]["davis"] |= {"root": str(footage), "train": "rest", "test": hold_out, "max_frames": None}
    params["datasets"]["set8"] |= {"root": str(footage), "test": hold_out, "max_frames": 20}
    # As text, since PyYAML reads 1e-3 as a word.
    params["training"] |= {"frames": 5, "learning_rate": 0.001, "motion_learning_rate": 0.000125}
    params["motion"]["learning_rate"] = 0.001
    params["schedules"] = {"davis": {"stage1": iterations[0], "stage2": iterations[1], "patch": 48}}
    params["experiments"] = {
        slug(name): {
            "dataset": "davis",
            "test": "set8",
            "train": {"variant": variant, "inverse_lambda": inverse, "sigma": [0, 55]},
            "evaluate": {"set8": {"sigma": list(SIGMAS)}},
        }
        for name, (variant, inverse) in NETWORKS.items()
    }
    params["evaluation"]["examples"] = {}
    for group in ("experiments_without_motion", "compared", "compared_with_motion", "official"):
        params[group] = {}
    params["baselines"] = {
        name: {"method": name, "dataset": "davis", "test": "set8", "evaluate": {"set8": {"sigma": list(SIGMAS)}}}
        for name in ("noisy", "median-5x5")
    }
    return params


def run(place: Path, params: dict) -> None:
    """Every step that has not left its result yet."""
    place.mkdir(parents=True, exist_ok=True)
    written = place / "params.yaml"
    text = yaml.safe_dump(params, sort_keys=False)
    if written.exists() and written.read_text() != text:
        sys.exit(f"{written}: holds other parameters; name another output folder")
    written.write_text(text)
    steps = [(layout.raw(name) / "index.json", ["fetch", "--dataset", name]) for name in params["datasets"]]
    steps += [(layout.prepared(name) / "manifest.json", ["prepare", "--dataset", name]) for name in params["datasets"]]
    steps.append((layout.SPYNET, ["pretrain-flow"]))
    for name in params["experiments"]:
        for stage in (1, 2):
            steps.append((layout.checkpoint(name, stage), ["train", "--experiment", name, "--stage", str(stage)]))
    for name in (*params["experiments"], *params["baselines"]):
        steps.append((layout.evaluation(name) / "summary.json", ["evaluate", "--experiment", name]))
    for made, arguments in steps:
        if not (place / made).exists():
            subprocess.run([sys.executable, "-m", "ncfl.cli", *arguments], cwd=place, check=True)


def measured(place: Path, experiment: str) -> dict[int, float]:
    """Sigma -> PSNR in dB."""
    found = read_json(place / layout.evaluation(experiment) / "summary.json")["datasets"]["set8"]["sigma"]
    return {sigma: found[str(sigma)]["psnr"] for sigma in SIGMAS}


def tell(output: Path, places: dict[int, Path]) -> None:
    """Both tables: every figure, and the differences that the claim is about, per seed."""
    names = {**{name: slug(name) for name in NETWORKS}, "noisy input": "noisy", "median 5x5": "median-5x5"}
    psnr = {name: {seed: measured(place, slug_) for seed, place in places.items()} for name, slug_ in names.items()}
    heads = [f"sigma {sigma}, seed {seed}" for sigma in SIGMAS for seed in places]
    rows = [[name, *(f"{psnr[name][seed][sigma]:.2f}" for sigma in SIGMAS for seed in places)] for name in psnr]
    for one, other in PAIRS:
        gains = [psnr[one][seed][sigma] - psnr[other][seed][sigma] for sigma in SIGMAS for seed in places]
        rows.append([f"{one} minus {other}", *(f"{gain:+.2f}" for gain in gains)])
    with (output / "claim.csv").open("w", newline="") as file:
        csv.writer(file).writerows([["network", *heads], *rows])
    lines = [f"| PSNR, dB | {' | '.join(heads)} |", f"|---|{'---:|' * len(heads)}"]
    lines += [f"| {' | '.join(row)} |" for row in rows]
    for one, other in PAIRS:
        for sigma in SIGMAS:
            gains = [psnr[one][seed][sigma] - psnr[other][seed][sigma] for seed in places]
            spread = f"{min(gains):+.2f} to {max(gains):+.2f}"
            lines.append(f"\n{one} against {other}, sigma {sigma}: mean {statistics.mean(gains):+.2f} dB, {spread}.")
    (output / "claim.md").write_text("\n".join(lines) + "\n")
    print("\n".join(lines))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("footage", type=Path)
    parser.add_argument("output", type=Path)
    parser.add_argument("--hold-out", nargs="+", default=["judo"])
    parser.add_argument("--seeds", nargs="+", type=int, default=[2022, 2023])
    parser.add_argument("--iterations", nargs=2, type=int, default=(1000, 2000), metavar=("STAGE1", "STAGE2"))
    given = parser.parse_args()
    places = {seed: given.output / f"seed-{seed}" for seed in given.seeds}
    for seed, place in places.items():
        run(place, parameters(given.footage.resolve(), given.hold_out, seed, tuple(given.iterations)))
    tell(given.output, places)


if __name__ == "__main__":
    main()
