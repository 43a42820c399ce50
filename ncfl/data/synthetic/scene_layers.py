"""The layers of a synthetic scene: textures cut from photographs, and the rigid paths on which they move.

Per layer and time

    texture coordinates = M(t) @ frame coordinates,     M(t): similarity, 2x3

Frames are free of aliasing: textures hold about two samples per frame pixel and are blurred by half a frame
pixel before they are sampled, so that linear interpolation is close to exact.
"""

import functools
import math
from collections.abc import Sequence

import cv2
import numpy as np

from ncfl.data.synthetic.paths import OVERSAMPLING, ZOOM, Path, draw_motion

BLUR = 1.0  # texture pixels: half a frame pixel, which leaves 29 % of the contrast at the frame's Nyquist
REDUCTIONS = (1.0, 1.4, 1.9, 2.6)  # photograph pixels per frame pixel
LARGEST_TEXTURE = 4_000_000  # pixels; bounds the memory of the cache
_SAMPLING = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP

Outline = Sequence[tuple[int, int]]  # corners (x, y), pixels of the photograph


class _ByIdentity:
    """Makes an array a cache key; the cache holds it, so its identity cannot be reused meanwhile."""

    def __init__(self, array: np.ndarray) -> None:
        self.array = array

    def __hash__(self) -> int:
        return id(self.array)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _ByIdentity) and self.array is other.array


@functools.lru_cache(maxsize=64)
def _texture(photograph: _ByIdentity, reduction: float) -> np.ndarray:
    return _resampled(photograph.array, OVERSAMPLING / reduction)


def _resampled(image: np.ndarray, scale: float) -> np.ndarray:
    """A photograph at ``scale`` texture pixels per pixel, without detail that a frame cannot show."""
    method = cv2.INTER_CUBIC if scale > 1 else cv2.INTER_AREA
    resized = cv2.resize(image, None, fx=scale, fy=scale, interpolation=method)
    return cv2.GaussianBlur(resized, (0, 0), BLUR, borderType=cv2.BORDER_REFLECT_101)


def _reductions(photograph: np.ndarray, height: float, width: float) -> list[float]:
    """The reductions at which a window of ``height`` x ``width`` frame pixels fits into the photograph."""
    rows, columns = photograph.shape[:2]
    small = [r for r in REDUCTIONS if rows * columns * (OVERSAMPLING / r) ** 2 <= LARGEST_TEXTURE]
    fitting = [r for r in small if height * r <= rows and width * r <= columns]
    return fitting or (small or [max(REDUCTIONS)])[:1]


class Background:
    """A photograph that fills the frame; where the camera looks past its edge it is mirrored.

    Args:
        photograph: uint8 [H,W,3].
        size: (height, width) of the frame.
        rng: view and motion are drawn from it.
        max_motion: pixels per frame.
        frames: how long the scene lasts; the view stays inside the photograph that long where it is large
            enough.
    """

    def __init__(
        self,
        photograph: np.ndarray,
        size: tuple[int, int],
        rng: np.random.Generator,
        max_motion: float,
        frames: int,
    ) -> None:
        height, width = size
        self.size = size
        # The two widest views that fit: closer ones show little but the photograph's own blur.
        fitting = _reductions(photograph, 1.2 * height, 1.2 * width)[-2:]
        self.texture = _texture(_ByIdentity(photograph), fitting[int(rng.integers(len(fitting)))])
        rows, columns = (n / OVERSAMPLING for n in self.texture.shape[:2])
        room = (max(columns - 1.1 * width, 0.1 * width), max(rows - 1.1 * height, 0.1 * height))
        motion = draw_motion(rng, max_motion, math.hypot(height, width) / 2, room, frames)
        travel = [abs(v) * (frames - 1) for v in motion["velocity"]]
        free = (max(columns - width - travel[0], 0.0), max(rows - height - travel[1], 0.0))
        x, y = (n / 2 + f * rng.uniform(-0.5, 0.5) for n, f in zip((columns, rows), free, strict=True))
        self.path = Path(
            pivot=((width - 1) / 2, (height - 1) / 2),
            anchor=(OVERSAMPLING * x, OVERSAMPLING * y),
            angle=rng.uniform(-0.1, 0.1),
            follows_camera=True,
            **motion,
        )

    def draw(self, t: float) -> np.ndarray:
        """The whole frame at time ``t``, uint8 [H,W,3]."""
        matrix = self.path.matrix(t)
        return cv2.warpAffine(self.texture, matrix, self.size[::-1], flags=_SAMPLING, borderMode=cv2.BORDER_REFLECT_101)


class Foreground:
    """A thing in front of the background, with an anti-aliased edge.

    Args:
        texture: its colors, uint8 [h,w,3].
        mask: its opacity in [0,1], float32, with a margin of zeros.
        size, rng, max_motion, frames: as for :class:`Background`.
    """

    def __init__(
        self,
        texture: np.ndarray,
        mask: np.ndarray,
        size: tuple[int, int],
        rng: np.random.Generator,
        max_motion: float,
        frames: int,
    ) -> None:
        height, width = size
        self.size, self.texture, self.mask = size, texture, mask
        rows, columns = mask.shape
        self.reach = math.hypot(rows, columns) / 2 / OVERSAMPLING * math.exp(ZOOM)
        self.path = Path(
            pivot=(width * rng.uniform(0.1, 0.9), height * rng.uniform(0.1, 0.9)),
            anchor=((columns - 1) / 2, (rows - 1) / 2),
            angle=rng.uniform(-0.3, 0.3),
            follows_camera=False,
            **draw_motion(rng, max_motion, self.reach, (0.6 * width, 0.6 * height), frames),
        )

    def draw(self, t: float) -> tuple[tuple[slice, slice], np.ndarray, np.ndarray] | None:
        """The part of the frame that the layer can touch, its colors and opacity there; None when unseen."""
        matrix = self.path.matrix(t)
        # Where M(t) sends the anchor back to: the layer's center in the frame.
        x, y = np.linalg.solve(matrix[:, :2], self.path.anchor - matrix[:, 2])
        left, right = max(math.floor(x - self.reach), 0), min(math.ceil(x + self.reach) + 1, self.size[1])
        top, bottom = max(math.floor(y - self.reach), 0), min(math.ceil(y + self.reach) + 1, self.size[0])
        if left >= right or top >= bottom:
            return None
        matrix[:, 2] += matrix[:, :2] @ (left, top)
        extent = (right - left, bottom - top)
        colors = cv2.warpAffine(self.texture, matrix, extent, flags=_SAMPLING, borderMode=cv2.BORDER_REFLECT_101)
        alpha = cv2.warpAffine(self.mask, matrix, extent, flags=_SAMPLING, borderMode=cv2.BORDER_CONSTANT)
        return (slice(top, bottom), slice(left, right)), colors, alpha


def random_patch(photograph: np.ndarray, radius: float, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """A part of a photograph with a smooth random outline.

    Args:
        photograph: uint8 [H,W,3].
        radius: mean radius, frame pixels.
        rng: outline and place are drawn from it.

    Returns:
        Texture and mask of a :class:`Foreground`.
    """
    fitting = _reductions(photograph, 2 * radius, 2 * radius)
    texture = _texture(_ByIdentity(photograph), fitting[int(rng.integers(len(fitting)))])
    angle = np.linspace(0.0, 2 * math.pi, 64, endpoint=False)
    shape = np.ones_like(angle)
    for k in (1, 2, 3, 4, 5):
        shape += rng.uniform(0.0, 0.3 / k) * np.cos(k * angle + rng.uniform(0.0, 2 * math.pi))
    shape *= OVERSAMPLING * radius
    n = 2 * math.ceil(shape.max() + 5 * BLUR) + 1
    mask = _filled(n // 2 + shape[:, None] * np.stack([np.cos(angle), np.sin(angle)], axis=1), (n, n))
    rows, columns = (min(n, m) for m in texture.shape[:2])
    top = int(rng.integers(texture.shape[0] - rows + 1))
    left = int(rng.integers(texture.shape[1] - columns + 1))
    return texture[top : top + rows, left : left + columns], mask


def cut_out(photograph: np.ndarray, outline: Outline, radius: float) -> tuple[np.ndarray, np.ndarray]:
    """A thing cut out of a photograph along its outline.

    Args:
        photograph: uint8 [H,W,3].
        outline: see :mod:`ncfl.data.synthetic.outlines`.
        radius: half of its larger extent, frame pixels; less where that would enlarge the photograph.

    Returns:
        Texture and mask of a :class:`Foreground`.
    """
    corners = np.array(outline, float)
    for _ in range(2):  # Chaikin: each corner is cut off at a quarter of its sides
        after = np.roll(corners, -1, axis=0)
        corners = np.hstack([0.75 * corners + 0.25 * after, 0.25 * corners + 0.75 * after]).reshape(-1, 2)
    low, high = corners.min(axis=0), corners.max(axis=0)
    scale = OVERSAMPLING * min(2 * radius / (high - low).max(), 1.0)
    margin = math.ceil(5 * BLUR / scale)
    left, top = np.maximum(np.floor(low).astype(int) - margin, 0)
    right, bottom = np.ceil(high).astype(int) + margin + 1
    texture = _resampled(photograph[top:bottom, left:right], scale)
    # Pixel centers: the middle of the photograph's first pixel lies (scale - 1) / 2 into the texture.
    inside = (corners - (left, top) + 0.5) * scale - 0.5
    # Where the thing reaches the photograph's edge, its mask still needs zeros around it.
    pad = math.ceil(5 * BLUR)
    texture = cv2.copyMakeBorder(texture, pad, pad, pad, pad, cv2.BORDER_REFLECT_101)
    return texture, _filled(inside + pad, texture.shape[:2])


def _filled(corners: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """Opacity of a polygon, its edge as soft as the textures: float32 in [0,1]."""
    mask = np.zeros(shape, np.uint8)
    cv2.fillPoly(mask, [np.round(corners * 16).astype(np.int32)], 255, lineType=cv2.LINE_AA, shift=4)
    return cv2.GaussianBlur(mask.astype(np.float32) / 255, (0, 0), BLUR)
