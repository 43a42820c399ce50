"""What starts are trained on: folders of clips at several widths and the embedded photographs, all in memory."""

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from ncfl.common.errors import InputError
from ncfl.data.synthetic import photographs
from ncfl.release.pack import Pack, PackedClip, find_clips


def read_footage(places: Sequence[Path], *, hold_out: Sequence[str], widths: Sequence[int]) -> Pack:
    """Clips and photographs as a pack that was never compressed.

    Args:
        places: videos, folders of pictures, or folders that hold such folders at any depth.
        hold_out: names of clips to leave out.
        widths: pixels; each clip is there once for each of them, reduced by averaging areas and never enlarged.

    Raises:
        InputError: no clip, or a held-out name that there is not.
    """
    found = find_clips(places)
    missing = sorted(set(hold_out) - set(found))
    if missing:
        raise InputError(f"hold-out: expected some of {', '.join(found)}, got {missing[0]!r}")
    clips = [
        PackedClip(name if number == 0 else f"{name} {width}", frames)
        for name, source in found.items()
        if name not in hold_out
        for number, (width, frames) in enumerate(_at_widths(source, widths))
    ]
    if not clips:
        raise InputError("clips: expected one to train on, got none that is not held out")
    train, test = (photographs.load(names) for names in (photographs.TRAIN_PHOTOGRAPHS, photographs.TEST_PHOTOGRAPHS))
    manifest = {"clips": [clip.name for clip in clips], "held_out": sorted(hold_out)}
    return Pack(train, test, clips, manifest, "")


def _at_widths(source: Path, widths: Sequence[int]) -> list[tuple[int, np.ndarray]]:
    from ncfl.media.video import open_frames

    with open_frames(source) as reader:
        frames = [np.ascontiguousarray(frame) for frame in reader]
    height, original = frames[0].shape[:2]
    made = []
    for width in sorted({min(width, original) for width in widths}, reverse=True):
        size = (width, 2 * round(height * width / original / 2))
        stack = [f if width == original else cv2.resize(f, size, interpolation=cv2.INTER_AREA) for f in frames]
        made.append((width, np.stack(stack)))
    return made
