"""Training data in one file that travels: photographs as their packages hold them, real clips reduced and compressed.

    pack.npz    manifest                 JSON as bytes: names, sizes, SHA-256, licences
                photograph/<name>        a picture file, byte by byte
                clip/<name>              its frames, one JPEG after another, without chroma subsampling
                clip/<name>/ends         where each of them ends

Reading needs numpy and OpenCV alone.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from ncfl.common.errors import InputError
from ncfl.common.files import atomic_path
from ncfl.data.packed import FORMAT, find_clips, sha256_of

LARGEST = 48 * 2**20  # bytes: what may travel to a machine with an accelerator, with room for the program
QUALITY = 95  # of JPEG: about 45 dB on these clips once reduced
WIDTH = 568  # pixels: two thirds of 854, which also averages the source's own compression artefacts away


def write_pack(
    path: Path,
    *,
    clips: Sequence[Path],
    hold_out: Sequence[str],
    licence: str,
    widths: Sequence[int] = (WIDTH,),
    quality: int = QUALITY,
    largest: int = LARGEST,
    photographs: Mapping[str, tuple[Path, str, str]] | None = None,
) -> dict[str, Any]:
    """Write a pack.

    Args:
        path: the file.
        clips: videos, folders of pictures, or folders that hold such folders at any depth.
        hold_out: names of clips to leave out.
        licence: of the clips, a line.
        widths: pixels; each clip is there once for each of them, reduced to it by averaging areas, under its name and,
            from the second on, that name and the width. A clip is never enlarged, and there once where it is no wider.
        quality: of JPEG, 95 ... 100.
        largest: bytes that the file may have.
        photographs: name -> (file, ``train`` or ``test``, licence); the embedded ones where it is None.

    Returns:
        The manifest.

    Raises:
        InputError: no clip, two of one name, a held-out name that there is not, a number out of range, too large.
    """
    if not 95 <= quality <= 100:
        raise InputError(f"quality: expected 95 ... 100, got {quality}")
    if not widths or min(widths) < 64 or len(set(widths)) < len(widths):
        raise InputError(f"width: expected different numbers of 64 or more pixels, got {list(widths)}")
    found = find_clips(clips)
    missing = sorted(set(hold_out) - set(found))
    if missing:
        raise InputError(f"hold-out: expected {', '.join(found)}, got {missing[0]!r}")
    kept = {name: source for name, source in found.items() if name not in hold_out}
    if not kept:
        raise InputError("clips: expected at least one to train on, got all held out")
    arrays: dict[str, np.ndarray] = {}
    manifest: dict[str, Any] = {"format": FORMAT, "held_out": sorted(hold_out), "photographs": [], "clips": []}
    for name, (file, split, terms) in (photographs if photographs is not None else embedded()).items():
        data = Path(file).read_bytes()
        arrays[f"photograph/{name}"] = np.frombuffer(data, np.uint8)
        manifest["photographs"].append({"name": name, "split": split, "licence": terms, **_digest(data)})
    for name, data, ends, about in _encoded(kept, widths, quality):
        if f"clip/{name}" in arrays:
            raise InputError(f"clips: expected different names, got {name!r} for one and, reduced, for another")
        arrays[f"clip/{name}"], arrays[f"clip/{name}/ends"] = np.frombuffer(data, np.uint8), np.array(ends, np.int64)
        manifest["clips"].append({"name": name, **about, "licence": licence, "jpeg": quality, **_digest(data)})
    text = json.dumps(manifest, indent=1).encode()
    size = sum(array.nbytes for array in arrays.values()) + len(text)
    if size > largest:
        raise InputError(f"{path}: expected at most {largest} bytes, got {size}; take smaller widths or fewer clips")
    with atomic_path(path) as temporary, temporary.open("wb") as file:
        np.savez(file, manifest=np.frombuffer(text, np.uint8), **arrays)
    return manifest


def embedded() -> dict[str, tuple[Path, str, str]]:
    """The embedded photographs as :func:`write_pack` takes them; licences as in docs/datasets.md."""
    from ncfl.data.synthetic import photographs

    splits = {"train": photographs.TRAIN_PHOTOGRAPHS, "test": photographs.TEST_PHOTOGRAPHS}
    return {name: (photographs.path(name), split, LICENCES[name]) for split, names in splits.items() for name in names}


LICENCES = {
    "china": "CC BY 2.0, danielbuechele (scikit-learn)",
    "motorcycle": "Middlebury 2014 stereo benchmark (scikit-image)",
    "astronaut": "public domain, NASA (scikit-image)",
    "ihc": "no known copyright restrictions (scikit-image)",
    "brick": "CC0 (scikit-image)",
    "retina": "CC0 (scikit-image)",
    "chelsea": "CC0, Stefan van der Walt (scikit-image)",
    "coffee": "CC0, Rachel Michetti (scikit-image)",
    "flower": "CC BY 2.0 (scikit-learn)",
    "rocket": "public domain, SpaceX (scikit-image)",
}


def _encoded(
    sources: Mapping[str, Path], widths: Sequence[int], quality: int
) -> Iterator[tuple[str, bytes, list[int], dict[str, Any]]]:
    for name, source in sources.items():
        known: set[int] = set()
        original = max(widths)  # until the first of them says
        for number, width in enumerate(widths):
            if min(width, original) not in known:
                data, ends, about = _encode(source, width, quality)
                original = about["reduced_from"][1]
                known.add(about["width"])
                yield f"{name} {width}" if number else name, data, ends, about


def _encode(source: Path, width: int, quality: int) -> tuple[bytes, list[int], dict[str, Any]]:
    from ncfl.media.video import open_frames

    options = [cv2.IMWRITE_JPEG_QUALITY, quality]
    options += [cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444]
    parts, ends, size = [], [], (0, 0)
    with open_frames(source) as reader:
        for frame in reader:
            original = frame.shape[:2]
            if original[1] > width:
                # Even sides, as video has them.
                height = 2 * round(original[0] * width / original[1] / 2)
                frame = cv2.resize(frame, (width, height), interpolation=cv2.INTER_AREA)
            size = frame.shape[:2]
            parts.append(cv2.imencode(".jpg", np.ascontiguousarray(frame[..., ::-1]), options)[1].tobytes())
            ends.append((ends[-1] if ends else 0) + len(parts[-1]))
    about = {"frames": len(parts), "height": size[0], "width": size[1], "reduced_from": list(original)}
    return b"".join(parts), ends, about


def _digest(data: bytes) -> dict[str, Any]:
    return {"bytes": len(data), "sha256": sha256_of(data)}
