"""Frames that an evaluation keeps as pictures, for the figures."""

import io
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from ncfl.common.errors import InputError
from ncfl.common.files import atomic_path

if TYPE_CHECKING:
    from ncfl.data.store import Clip
    from ncfl.evaluate.conventions import Space


@dataclass(frozen=True)
class KeptFrame:
    """A frame to keep as an image: a sequence (name, or place in the split), a frame and a noise level."""

    sequence: str | int
    frame: int
    sigma: float


class NoSuchFrame(InputError):
    """An example whose place lies beyond the sequences or frames that there are, as in a part of a dataset."""


def find_example(
    fields: Mapping[str, Any] | None, clips: "Sequence[Clip]", dataset: str, max_frames: int | None
) -> KeptFrame | None:
    """The example with its sequence by name, once it is sure that it exists.

    Raises:
        NoSuchFrame: fewer sequences, or fewer frames that are evaluated.
        InputError: no sequence of that name.
    """
    if fields is None:
        return None
    example = KeptFrame(**fields)
    named = {clip.name: clip for clip in clips}
    sequence = example.sequence
    if isinstance(sequence, int) and 0 <= sequence < len(clips):
        sequence = clips[sequence].name
    if sequence not in named:
        kind = NoSuchFrame if isinstance(sequence, int) else InputError
        raise kind(
            f"example of dataset {dataset}: expected sequence 0..{len(clips) - 1} or {', '.join(named)}, "
            f"got {example.sequence!r}"
        )
    count = named[sequence].shape[0] if max_frames is None else min(named[sequence].shape[0], max_frames)
    if not 0 <= example.frame < count:
        raise NoSuchFrame(
            f"example of dataset {dataset}: expected frame 0..{count - 1} of {sequence}, got {example.frame}"
        )
    return KeptFrame(sequence, example.frame, example.sigma)


def stem(example: KeptFrame) -> str:
    """What the names of an example's files begin with: ``<sequence>_<frame>_sigma<sigma>``."""
    return f"{re.sub(r'[^A-Za-z0-9._-]+', '-', str(example.sequence))}_{example.frame}_sigma{example.sigma:g}"


def pictures(
    example: KeptFrame, picture: "Space", *, clean: np.ndarray, degraded: np.ndarray, restored: np.ndarray
) -> dict[str, np.ndarray]:
    """Three frames in model units as 8-bit RGB images by file name.

    ``<sequence>_<frame>_clean.png``, ``..._sigma<sigma>_input.png`` (what the method was fed) and
    ``..._sigma<sigma>.png``.
    """
    degraded_stem = stem(example)
    frames = {
        f"{degraded_stem.rpartition('_')[0]}_clean.png": clean,
        f"{degraded_stem}_input.png": degraded,
        f"{degraded_stem}.png": restored,
    }
    return {name: to_bytes(picture(frame)) for name, frame in frames.items()}


def to_bytes(image: np.ndarray) -> np.ndarray:
    """Float in [0,1] (clipped to it) to uint8, rounded to the nearest level."""
    return np.rint(np.clip(image, 0, 1) * 255).astype(np.uint8)


def write_arrays(path: Path, arrays: Mapping[str, np.ndarray]) -> None:
    """Write arrays as a compressed ``.npz`` of half precision; equal arrays give equal bytes."""
    content = io.BytesIO()
    np.savez_compressed(content, **{key: array.astype(np.float16) for key, array in sorted(arrays.items())})
    with atomic_path(path) as temporary:
        temporary.write_bytes(content.getvalue())


def write_png(path: Path, image: np.ndarray) -> None:
    """Write a uint8 RGB image [H,W,3]."""
    _, encoded = cv2.imencode(".png", image[..., ::-1])
    with atomic_path(path) as temporary:
        temporary.write_bytes(encoded.tobytes())
