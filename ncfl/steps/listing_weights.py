"""``ncfl weights``: which weights come along, what they restore, and how fast they are here."""

import statistics
from typing import TYPE_CHECKING, Any

from ncfl.common.console import say
from ncfl.common.errors import InputError
from ncfl.common.files import read_json

if TYPE_CHECKING:
    from ncfl.weights.shipped import Weights

SIGMA = "30"  # the noise level whose figures are shown, as cards name it
HEIGHT, WIDTH = 540, 960  # pixels, of the frames whose speed is measured


def list_weights(*, speed: bool = False, threads: int | None = None) -> list[dict[str, Any]]:
    """The weights that come with this copy, the default first.

    Args:
        speed: measure each on this machine, half a minute a network; damaged files are left out.
        threads: of PyTorch; None for its own choice.

    Returns:
        A row each: ``name``, ``parameters``, ``megabytes`` (1e6 bytes), ``default``, ``sha256_ok``, ``sigma`` (least
        and greatest level of the training), ``whiteness_below`` (as the index has it, or None), ``psnr`` (kind of
        noise -> dB at sigma 30, the mean over the clips that all model cards share; {} without a card of this very
        file), ``frames_per_second`` at 960x540 (None where not measured), ``licence``, ``description``.

    Raises:
        InputError: there are none, a damaged index or card, a number of threads below 1.
    """
    from ncfl.weights.shipped import NONE_SHIPPED, shipped

    known = shipped()
    if not known:
        raise InputError(f"weights: {NONE_SHIPPED}")
    cards = {name: clips for name, weights in known.items() if (clips := _measured_clips(weights))}
    shared = set.intersection(*map(set, cards.values())) if cards else set()
    rows = []
    for name, weights in known.items():
        whole = _whole(weights)
        rows.append(
            {
                "name": name,
                "parameters": weights.parameters(),
                "megabytes": round(weights.bytes / 1e6, 2),
                "default": weights.default,
                "sha256_ok": whole,
                "sigma": list(weights.sigma),
                "whiteness_below": weights.whiteness_below,
                "psnr": _means(cards.get(name, {}), shared, name),
                "frames_per_second": _frames_per_second(weights, threads) if speed and whole else None,
                "licence": weights.licence,
                "description": weights.description,
            }
        )
    return rows


def _measured_clips(weights: "Weights") -> dict[str, Any]:
    """The clips of the model card, by name; {} where no card is of this very file."""
    path = weights.path.with_suffix(".json")
    card = read_json(path) if path.is_file() else {}
    if not isinstance(card, dict):
        raise InputError(f"{path}: expected a model card's figures, got a {type(card).__name__}")
    return card["clips"] if card.get("sha256") == weights.sha256 else {}


def _means(clips: dict[str, Any], shared: set[str], name: str) -> dict[str, float]:
    """Kind of noise -> PSNR (dB) at sigma 30, the mean over the ``shared`` clips, which alone compare."""
    found: dict[str, list[float]] = {}
    for clip in (clips[one] for one in sorted(shared & set(clips))):
        for kind, of_kind in {"unclipped": clip, **clip.get("kinds", {})}.items():
            if SIGMA in of_kind["means"]:
                found.setdefault(kind, []).append(of_kind["means"][SIGMA][name]["psnr"])
    return {kind: round(statistics.fmean(values), 2) for kind, values in found.items()}


def cells(row: dict[str, Any]) -> dict[str, str]:
    """A row as a person reads it, by heading; - for what is not known."""
    low, high = row["sigma"]
    shown = {"unclipped": "unclipped", "clipped": "8 bit", "gray": "gray", "camera": "camera"}
    psnr = {label: f"{row['psnr'][kind]:.2f}" if kind in row["psnr"] else "-" for kind, label in shown.items()}
    rate = row["frames_per_second"]
    return {
        "name": row["name"] + " (default)" * row["default"],
        "for": "cameras" if row["whiteness_below"] else f"sigma {low:g}..{high:g}",
        "parameters": f"{row['parameters']:,}",
        **psnr,
        "frames/s": "-" if rate is None else f"{rate:.2f}",
        "whole": "yes" if row["sha256_ok"] else "NO",
    }


def _frames_per_second(weights: "Weights", threads: int | None) -> float:
    from ncfl.methods.networks import method_of
    from ncfl.profile.measuring import measure

    say(f"weights: measuring the speed of {weights.name}")
    found = measure(
        lambda: method_of(weights.load(), name=weights.name), height=HEIGHT, width=WIDTH, threads=threads, repeats=1
    )
    assert found.seconds is not None
    return float(f"{1 / found.seconds:.3g}")


def _whole(weights: "Weights") -> bool:
    try:
        weights.check()
    except InputError as error:
        say(f"note: {error}")
        return False
    return True
