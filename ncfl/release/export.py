"""From a checkpoint to a file of weights that ships: half precision, safetensors, described in the folder's index."""

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from ncfl.common.errors import InputError
from ncfl.common.files import atomic_path, read_json, sha256, write_json
from ncfl.methods.interface import stream
from ncfl.methods.networks import method_of
from ncfl.weights.checkpoint import load, load_model
from ncfl.weights.shipped import INDEX, SUFFIX, further

LARGEST = 24_000_000  # bytes of a file that a repository and a wheel can carry
NAME = re.compile(r"[a-z0-9][a-z0-9.-]*")
TRIAL = (3, 64, 96)  # frames, height, width of the random clip on which rounding is measured


class Export(NamedTuple):
    """What was written.

    Attributes:
        path: the file.
        bytes, sha256: its size and checksum.
        parameters: how many values are trained.
        rounding: the largest difference that half precision makes in an output on a random clip, frames in [0,1].
    """

    path: Path
    bytes: int
    sha256: str
    parameters: int
    rounding: float


def export(
    *,
    checkpoint: Path,
    name: str,
    folder: Path,
    description: str,
    licence: str,
    sigma: Sequence[float],
    gray_from: float | None = None,
    whiteness_below: float | None = None,
    default: bool = False,
    largest: int = LARGEST,
) -> Export:
    """Write ``folder/NAME.safetensors`` and its entry in ``folder/index.json``, which keeps its other entries.

    Args:
        checkpoint: what a training wrote, of a network that restores clips.
        name: how ``--weights`` will call it: small letters, digits, dots, hyphens.
        folder: where weights lie; created.
        description: what it is and what it was trained on, a line.
        licence: of the weights.
        sigma: the least and the greatest noise level that it was trained on, 0..255.
        gray_from, whiteness_below: as of :class:`ncfl.weights.shipped.Weights`.
        default: whether it becomes the one taken where none is named; the first of a folder does in any case.
        largest: bytes above which it is refused.

    Raises:
        InputError: an unreadable checkpoint, a name or a range that is not allowed, an empty text, values that are not
            finite or that half precision cannot hold, a file that is too large, a damaged index.
    """
    _check_texts(name, sigma, description=description, licence=licence)
    besides, folder = further({"gray_from": gray_from, "whiteness_below": whiteness_below}), Path(folder)
    index = _index(folder / INDEX)
    source, model = load(checkpoint), load_model(checkpoint)
    state = halved(source.state, checkpoint)
    rounding = rounding_difference(model, state)
    path = folder / f"{name}{SUFFIX}"
    arguments = json.loads(json.dumps(source.arguments))  # tuples as lists: what reading it back gives
    about = {"format": "pt", "kind": source.kind, "arguments": json.dumps(arguments), "description": description}
    data = encoded(state, {**about, "licence": licence})
    if len(data) > largest:
        raise InputError(f"{path}: expected at most {largest} bytes, got {len(data)}")
    with atomic_path(path) as temporary:
        temporary.write_bytes(data)
    index["weights"][name] = entry = {
        "file": path.name,
        "bytes": len(data),
        "sha256": sha256(path),
        "kind": source.kind,
        "arguments": arguments,
        "sigma": list(sigma),
        "description": description,
        "licence": licence,
        **besides,
    }
    if default or index["default"] is None:
        index["default"] = name
    write_json(folder / INDEX, index)
    return Export(path, len(data), entry["sha256"], sum(one.numel() for one in model.parameters()), rounding)


def halved(state: Mapping[str, Tensor], source: Path | str = "weights") -> dict[str, Tensor]:
    """A state dict in half precision; whole numbers stay as they are.

    Raises:
        InputError: values that are not finite, or beyond +-65504, the largest number of half precision.
    """
    found = {}
    for name, value in state.items():
        if not value.is_floating_point():
            found[name] = value.contiguous()
            continue
        if not value.isfinite().all():
            raise InputError(f"{source}: {name}: expected finite values, got others")
        found[name] = value.half().contiguous()
        if not found[name].isfinite().all():
            limit = torch.finfo(torch.float16).max
            raise InputError(
                f"{source}: {name}: expected at most {limit:g} (half precision), got {value.abs().max():g}"
            )
    return found


def rounding_difference(model: nn.Module, half: Mapping[str, Tensor]) -> float:
    """The largest difference in an output between ``model`` and the same with ``half``'s weights, on a random clip.

    ``model`` has the rounded weights afterwards.
    """
    frames, height, width = TRIAL
    generator = torch.Generator().manual_seed(0)
    clip = torch.rand((frames, 1, model.arguments["channels"], height, width), generator=generator)
    method = method_of(model, name="export")
    exact = torch.stack(list(stream(method, clip, 25.0)))
    model.load_state_dict(dict(half))
    method = method_of(model, name="export")  # a fresh one: some methods keep what they computed
    return (torch.stack(list(stream(method, clip, 25.0))) - exact).abs().max().item()


def encoded(state: Mapping[str, Tensor], about: dict[str, str]) -> bytes:
    """A safetensors file's bytes; equal weights and texts give equal bytes."""
    from safetensors.torch import save  # an extra of the project, not needed to restore

    data = save(dict(state), metadata=about)
    length = int.from_bytes(data[:8], "little")
    # The library writes metadata in another order each time; equal weights shall give equal bytes.
    header = json.loads(data[8 : 8 + length])
    header = {"__metadata__": dict(sorted(header.pop("__metadata__").items())), **header}
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)  # tensors begin at a multiple of 8 bytes
    return len(text).to_bytes(8, "little") + text + data[8 + length :]


def _index(path: Path) -> dict[str, Any]:
    if not path.exists():
        return {"default": None, "weights": {}}
    content = read_json(path)
    described = content.get("weights") if isinstance(content, dict) else None
    if not isinstance(described, dict) or content.get("default") not in described:
        raise InputError(
            f"{path}: expected 'weights' by name, and one of the names as 'default', got others; mend or remove it"
        )
    return {"default": content["default"], "weights": dict(described)}


def _check_texts(name: str, sigma: Sequence[float], **texts: str) -> None:
    if not NAME.fullmatch(name) or name.endswith(SUFFIX):
        raise InputError(f"name: expected small letters, digits, dots and hyphens, without {SUFFIX}, got {name!r}")
    if len(sigma) != 2 or not 0 <= sigma[0] <= sigma[1] <= 255:
        raise InputError(f"sigma: expected two levels in 0..255, the least first, got {list(sigma)}")
    for key, text in texts.items():
        if not text.strip() or "\n" in text:
            raise InputError(f"{key}: expected one line of text, got {text!r}")
