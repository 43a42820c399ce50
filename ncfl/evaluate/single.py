"""One frame of a dataset, restored by any method, as pictures: what the figures of the paper show."""

from collections.abc import Iterator
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch

from ncfl.common.errors import InputError
from ncfl.data.isp import ISP
from ncfl.evaluate import conventions
from ncfl.evaluate.examples import to_bytes
from ncfl.evaluate.protocol import DegradedSource
from ncfl.methods.interface import Method, stream

if TYPE_CHECKING:
    from ncfl.data.store import Clip, ClipStore


class ThreePictures(NamedTuple):
    """A frame as uint8 RGB [H,W,3]: clean, as the method was fed, and restored."""

    clean: np.ndarray
    degraded: np.ndarray
    restored: np.ndarray


def find_frame(store: "ClipStore", dataset: str, split: str, sequence: str, frame: int) -> "Clip":
    """The clip that has a frame.

    Raises:
        InputError: no such sequence in the split, or no such frame in it.
    """
    clips = {clip.name: clip for clip in store.split(split)}
    if sequence not in clips:
        raise InputError(f"--sequence: expected one of {dataset}'s {split} split, {', '.join(clips)}; got {sequence!r}")
    count = clips[sequence].shape[0]
    if not 0 <= frame < count:
        raise InputError(f"--frame: expected 0..{count - 1} of {sequence}, got {frame}")
    return clips[sequence]


def restored_frame(
    method: Method,
    clip: "Clip",
    *,
    source: DegradedSource,
    convention: str,
    frame: int,
    sigma: float,
    device: str | torch.device = "cpu",
    isp: ISP | None = None,
) -> ThreePictures:
    """Restore a clip up to a frame, as an evaluation does.

    Args:
        method: what restores.
        clip: the clip; methods that look ahead are given what follows the frame.
        source: where the degraded frames come from.
        convention: by which frames become pictures, see :mod:`ncfl.evaluate.conventions`.
        frame: which one, from 0.
        sigma: the noise level in 0..255; 0 adds none.
        device: where the frames are put.
        isp: develops packed raw frames; needed where frames are raw.
    """
    picture = conventions.named(convention, levels=clip.peak - clip.black, isp=isp).picture
    degraded: list[np.ndarray] = []

    def fed() -> Iterator[torch.Tensor]:
        for number, noisy in enumerate(source.degraded_frames(clip, clip.shape[0], [sigma])):
            if number == frame:
                degraded.append(noisy[0])
            yield torch.from_numpy(noisy).permute(0, 3, 1, 2).contiguous().to(device)

    with torch.no_grad():
        restored = next(islice(stream(method, fed(), [sigma]), frame, None))
    image = restored[0].permute(1, 2, 0).contiguous().cpu().numpy()
    return ThreePictures(*(to_bytes(picture(x)) for x in (clip.unit(clip.frames[frame]), degraded[0], image)))
