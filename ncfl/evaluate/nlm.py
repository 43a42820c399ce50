"""Non-local means over five frames (OpenCV), a classical denoiser that is told the noise level, to compare with.

OpenCV's works on 8-bit frames: the noisy input is clipped to 0..255 and rounded before, unlike for other methods.
"""

from collections.abc import Sequence

import cv2
import numpy as np

WINDOW = 5  # frames, the restored one in the middle; the clip is mirrored at its ends
PATCH, SEARCH = 7, 21  # pixels, OpenCV's defaults
FACTOR = 0.6  # of sigma
RULE = (
    f"h = {FACTOR:g} σ for luma and colour, of the multiples 0.2, 0.4, 0.6, 0.8, 1, 1.2, 1.5 the one with the highest "
    "mean PSNR over crops of three real clips (DAVIS judo and blackswan, park_joy) at σ 10, 30 and 50; where these "
    "clips are measured, that favours it"
)


def eight_bits(frame: np.ndarray) -> np.ndarray:
    """Float frame, nominally in [0,1], as uint8: clipped and rounded."""
    return np.rint(np.clip(frame, 0, 1) * 255).astype(np.uint8)


def denoise(frames: Sequence[np.ndarray], h: float) -> list[np.ndarray]:
    """Restore a clip.

    Args:
        frames: float32 [H,W,3] each, nominally in [0,1].
        h: OpenCV's strength, 0..255 scale.

    Returns:
        As many frames, float32 [H,W,3] in [0,1], in steps of 1/255.
    """
    radius = WINDOW // 2
    pictures = [eight_bits(frame) for frame in frames]
    last = len(pictures) - 1
    places = [_mirrored(index, last) for index in range(-radius, len(pictures) + radius)]
    # OpenCV converts to Lab as if frames were BGR: the order of channels must be its own.
    padded = [np.ascontiguousarray(pictures[place][..., ::-1]) for place in places]
    restored = []
    for t in range(len(pictures)):
        found = cv2.fastNlMeansDenoisingColoredMulti(padded[t : t + WINDOW], radius, WINDOW, None, h, h, PATCH, SEARCH)
        restored.append(found[..., ::-1].astype(np.float32) / np.float32(255))
    return restored


def strength(sigma: float) -> float:
    """h for one noise level, by :data:`RULE`."""
    return FACTOR * sigma


def _mirrored(index: int, last: int) -> int:
    if last == 0:
        return 0
    index %= 2 * last
    return min(index, 2 * last - index)
