"""The model card of shipped weights, and the same figures as JSON."""

import statistics
import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

from ncfl.data.camera import STRONGEST
from ncfl.evaluate import nlm
from ncfl.evaluate.quality import KINDS, NLM, SETTLED, WITHOUT_MEMORY, temporal_gain, worth_by_motion
from ncfl.evaluate.speed import ranges
from ncfl.release.background import FinishedTraining
from ncfl.report import published
from ncfl.weights.shipped import Weights

SHOWN = (
    "batch",
    "frames",
    "patch",
    "learning_rate",
    "motion_learning_rate",
    "lambda_",
    "grad_clip",
    "clipped",
    "gray",
    "cuts",
    "speeds",
    "camera",
    "seed",
    "precision",
)


def _paragraph(text: str) -> str:
    return textwrap.fill(text, 120, break_long_words=False, break_on_hyphens=False)


DAVIS_LICENCE = _paragraph(
    "Those named as DAVIS sequences are of DAVIS-2017: BSD, the videos under Creative Commons licences of their "
    "authors ([docs/datasets.md](../docs/datasets.md)). The file of weights holds no frame of them."
)
PROTOCOL = _paragraph(
    "At their own resolution. Noise is white and Gaussian, neither clipped nor rounded; restored frames are clamped to "
    "[0,1]. PSNR (dB) / SSIM are means over all frames of a clip, as everywhere in this project."
)
NLM_NOTE = _paragraph(
    f"Non-local means is OpenCV's `fastNlMeansDenoisingColoredMulti` over {nlm.WINDOW} frames, two of them future ones "
    f"(patch {nlm.PATCH}, search {nlm.SEARCH}). Unlike the others it works on 8 bits: its input was clipped and "
    f"rounded. It is told the noise level; the network is not, and sees no future frame. Its strength: {nlm.RULE}."
)
MEMORY_NOTE = _paragraph(
    "Frames differ in difficulty, so a PSNR that rises over a clip proves nothing. The same network with its memory "
    f"emptied before every frame (`{WITHOUT_MEMORY}`) sees the same frames: the gain over it, from frame {SETTLED} on, "
    "is what past frames contribute. All in dB."
)
FILES_NOTE = _paragraph(
    "PSNR (dB) on what users have, with the same noise. "
    + ". ".join(f"`{kind}`: {what}" for kind, what in list(KINDS.items())[1:])
    + ". A gray clip is compared with itself, and its noise can't be told from its texture by colour."
)
MOTION_NOTE = _paragraph(
    "The same gain, in dB of the mean squared error over all pixels whose motion from the frame before, by OpenCV's "
    f"DIS on clean frames, is in a range; from frame {SETTLED} on."
)
STEADINESS_NOTE = _paragraph(
    "The correlation of errors with those of the frame before, moved along by OpenCV's DIS on clean frames; from frame "
    f"{SETTLED} on. At 1 errors move with the scene, at 0 they are new in every frame, which is seen as flicker."
)
PUBLISHED_NOTE = _paragraph(
    "The paper's figures of its own network and of medians on Set8. Other clips and another training: no difference "
    "between them and those above says anything about either."
)


def figures(
    *,
    weights: Weights,
    background: FinishedTraining | None,
    measured: Mapping[str, Any],
    command: str,
    commit: Mapping[str, str],
    seed: int,
    hours: float | None,
    device: str | None,
) -> dict[str, Any]:
    """All that a card says, as plain data.

    Args:
        weights: the shipped file.
        background: how it was trained, where that is known.
        measured: what :func:`ncfl.evaluate.quality.measure` gave.
        command: that measured it.
        commit: of the program that measured, as :func:`ncfl.tracking.provenance.commit` gives.
        seed: of the noise.
        hours, device: of the training; those of ``background`` where they are None.
    """
    if background is not None:
        hours = background.seconds / 3600 if hours is None and background.seconds is not None else hours
        device = background.device if device is None else device
    training = None
    if background is not None:
        kept = ("experiment", "dataset", "clips", "training", "stages", "flow", "versions", "start")
        training = {key: getattr(background, key) for key in kept}
    clips = {name: _of_clip(clip, weights.name) for name, clip in measured["clips"].items()}
    return {
        "name": weights.name,
        "description": weights.description,
        "licence": weights.licence,
        "file": weights.path.name,
        "bytes": weights.bytes,
        "sha256": weights.sha256,
        "parameters": weights.parameters(),
        "kind": weights.kind,
        "arguments": weights.arguments,
        "sigma": list(weights.sigma),
        "training": training,
        "hours": None if hours is None else round(hours, 2),
        "device": device,
        "command": command,
        **commit,
        "seed": seed,
        "clips": clips,
    }


def _of_clip(clip: Mapping[str, Any], name: str) -> dict[str, Any]:
    about = {key: clip[key] for key in ("frames", "height", "width", "sha256")}
    kinds = {kind: _of_levels(levels, name) for kind, levels in clip.get("kinds", {}).items()}
    return {**about, **_of_levels(clip["levels"], name), "kinds": kinds}


def _of_levels(levels: Mapping[str, Mapping[str, Any]], name: str) -> dict[str, Any]:
    means = {
        sigma: {
            method: {
                "psnr": round(statistics.fmean(found["psnr"]), 3),
                "ssim": round(statistics.fmean(found["ssim"]), 4),
            }
            for method, found in by_method.items()
        }
        for sigma, by_method in levels.items()
    }
    steadiness = {
        sigma: {m: found["steadiness"] for m, found in by_method.items() if found.get("steadiness") is not None}
        for sigma, by_method in levels.items()
    }
    return {
        "means": means,
        "steadiness": {sigma: found for sigma, found in steadiness.items() if found},
        "temporal": _rounded(temporal_gain(levels, name)),
        "by_motion": _rounded(worth_by_motion(levels, name)),
    }


def _rounded(gains: Mapping[str, Mapping[str, float]]) -> dict[str, dict[str, float]]:
    return {sigma: {key: round(value, 3) for key, value in gain.items()} for sigma, gain in gains.items()}


def markdown(facts: Mapping[str, Any], curve: str | None) -> str:
    """The card.

    Args:
        facts: what :func:`figures` gave.
        curve: where the picture of the training's curve lies, seen from the card; None without one.
    """
    parts = [_head(facts), _training(facts), f"![training curve]({curve})" if curve else "", _measured(facts)]
    parts += [_files(facts), _temporal(facts), _by_motion(facts), _steadiness(facts), _published(), _limits(facts)]
    return "\n\n".join(part for part in parts if part) + "\n"


def _head(facts: Mapping[str, Any]) -> str:
    sizes = ", ".join(f"{key} {value}" for key, value in facts["arguments"].items())
    return f"# {facts['name']}\n\n{facts['description']}\n\n" + _table(
        ["", ""],
        [
            ["file", f"`{facts['file']}`, {facts['bytes']:,} bytes, half precision, safetensors"],
            ["SHA-256", f"`{facts['sha256']}`"],
            ["network", f"`{facts['kind']}`, {facts['parameters']:,} parameters"],
            ["sizes", sizes],
            ["trained for", _trained_for(facts)],
            ["licence", facts["licence"]],
        ],
    )


def _training(facts: Mapping[str, Any]) -> str:
    training = facts["training"]
    if training is None:
        return "## Training\n\nNo record of the training was at hand when this card was written."
    flow, numbers = training["flow"], training["training"]
    rows, included = [["motion estimation", "from weights trained before", ""]], ""
    if "epe" in flow:
        zero, included = flow["epe_zero"], ", motion estimation included"
        motion = f"end-point error {flow['epe']:.2f} pixels on held-out synthetic pairs (zero motion: {zero:.2f})"
        rows = [["motion estimation", "pretrained on synthetic motion, with a pack on its clips too", motion]]
    if training.get("start"):
        rows.append(["start", f"weights trained before, `{training['start']}`", ""])
    for stage, metrics in training["stages"].items():
        loss = "L2 + λ cross-entropy" if stage == "stage1" else "L2"
        psnr = metrics.get("psnr")
        last = f"{psnr:.2f} dB over the last {metrics['averaged_iterations']} batches" if psnr else ""
        rows.append([stage, f"{metrics['iterations']:,} iterations, {loss}", last])
    listed = ", ".join(f"{key.rstrip('_')} {numbers[key]}" for key in SHOWN if key in numbers)
    hours = "not recorded" if facts["hours"] is None else f"{facts['hours']:.2f}{included}"
    clips = [[c["name"], str(c["frames"]), f"{c['width']}x{c['height']}"] for c in training["clips"]]
    listing = _table(["clip", "frames", "size"], clips) if clips else "Not recorded."
    return "\n\n".join(
        [
            "## Training",
            _table(["part", "what", "result"], rows),
            _paragraph(f"Numbers: {listed}. Hours: {hours}. Device: {facts['device'] or 'not recorded'}."),
            f"Clips, at the size that was trained on (dataset `{training['dataset']}`):",
            listing,
            DAVIS_LICENCE,
        ]
    )


def _measured(facts: Mapping[str, Any]) -> str:
    text = ["## Measured on clips that no training saw", PROTOCOL]
    used = {m for clip in facts["clips"].values() for found in clip["means"].values() for m in found}
    if NLM in used:
        text.append(NLM_NOTE)
    for name, clip in facts["clips"].items():
        methods = list(next(iter(clip["means"].values())))
        rows = [
            [sigma, *(f"{found[m]['psnr']:.2f} / {found[m]['ssim']:.4f}" for m in methods)]
            for sigma, found in clip["means"].items()
        ]
        labels = [f"**{m}**" if m == facts["name"] else m for m in methods]
        text.append(f"{name}, {clip['width']}x{clip['height']}, {clip['frames']} frames:")
        text.append(_table(["σ", *labels], rows))
    version = f"commit `{facts['commit']}`" + (" with changes" if facts["modified"] == "yes" else "")
    text.append(f"Measured at {version} with seed {facts['seed']} by:\n\n```\n{facts['command']}\n```")
    return "\n\n".join(text)


def _temporal(facts: Mapping[str, Any]) -> str:
    keys = [f"over {other} {when}" for other in (WITHOUT_MEMORY, "median 5x5") for when in ("first", "settled")]
    rows = [
        [name, sigma, f"{gain['first']:.2f}", f"{gain['settled']:.2f}", *(_signed(gain.get(key)) for key in keys)]
        for name, clip in facts["clips"].items()
        for sigma, gain in clip["temporal"].items()
    ]
    if not rows:
        return ""
    later = f"frames {SETTLED}..."
    header = ["clip", "σ", "frame 0", later, "gain over no memory, frame 0", later, "over median 5x5, frame 0", later]
    return f"### What the memory is worth\n\n{MEMORY_NOTE}\n\n{_table(header, rows)}"


def _files(facts: Mapping[str, Any]) -> str:
    rows = [
        [name, sigma, f"{clip['means'][sigma][facts['name']]['psnr']:.2f}", kind]
        + [f"{found[method]['psnr']:.2f}" if method in found else "" for method in ("noisy", facts["name"])]
        + [_signed(of_kind["temporal"].get(sigma, {}).get(f"over {WITHOUT_MEMORY} settled"))]
        for name, clip in facts["clips"].items()
        for kind, of_kind in clip["kinds"].items()
        for sigma, found in of_kind["means"].items()
    ]
    if not rows:
        return ""
    header = ["clip", "σ", "unclipped, restored", "kind", "noisy", "restored", f"gain from memory, frames {SETTLED}..."]
    return f"### On files\n\n{FILES_NOTE}\n\n{_table(header, rows)}"


def _by_motion(facts: Mapping[str, Any]) -> str:
    rows = [
        [name, kind, sigma, *(_signed(gain.get(moved)) for moved in ranges())]
        for name, clip in facts["clips"].items()
        for kind, of_kind in {"unclipped": clip, **clip["kinds"]}.items()
        for sigma, gain in of_kind["by_motion"].items()
    ]
    if not rows:
        return ""
    return f"### By how fast things move\n\n{MOTION_NOTE}\n\n{_table(['clip', 'noise', 'σ', *ranges()], rows)}"


def _steadiness(facts: Mapping[str, Any]) -> str:
    names = (facts["name"], WITHOUT_MEMORY, "median 5x5", "noisy")
    rows = [
        [name, kind, sigma, *(f"{found[one]:.2f}" if one in found else "" for one in names)]
        for name, clip in facts["clips"].items()
        for kind, of_kind in {"unclipped": clip, **clip["kinds"]}.items()
        for sigma, found in of_kind.get("steadiness", {}).items()
    ]
    if not rows:
        return ""
    table = _table(["clip", "noise", "σ", *(f"`{one}`" for one in names)], rows)
    return f"### How steady it is\n\n{STEADINESS_NOTE}\n\n{table}"


def _published() -> str:
    rows = [[row["method"], row["sigma"], row["psnr_db"]] for row in published.rows("table5_median")]
    table = _table(["method", "σ", "PSNR (dB), published, Set8"], rows)
    return f"## For orientation: published, Set8, other data\n\n{PUBLISHED_NOTE}\n\n{table}"


def _trained_for(facts: Mapping[str, Any]) -> str:
    low, high = facts["sigma"]
    white = f"white Gaussian noise of σ {low:g} to {high:g} (of 255) on RGB frames"
    share = _share_of_cameras(facts)
    if not share:
        return white
    return f"in {share:.0%} of the clips the noise of cameras, of σ 0 to {STRONGEST:g}, compressed; else {white}"


def _share_of_cameras(facts: Mapping[str, Any]) -> float:
    return (facts["training"] or {}).get("training", {}).get("camera", 0.0)


def _limits(facts: Mapping[str, Any]) -> str:
    low, high = facts["sigma"]
    if _share_of_cameras(facts):
        learned = "rendered noise of cameras, compressed by JPEG and H.264: other cameras and codecs, resized footage"
    else:
        learned = f"synthetic white Gaussian noise between σ {low:g} and {high:g} only: camera noise, compression"
    return "## Limits\n\n" + _paragraph(
        f"Trained on {learned}, rain and haze are not what it learned. Clips, iterations and widths are those stated "
        "above, not the paper's: its quality is not the paper's either."
    )


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _signed(value: float | None) -> str:
    return "" if value is None else f"{value:+.2f}"
