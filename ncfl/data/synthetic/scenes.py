"""Synthetic motion with exact optical flow: layers cut from photographs move rigidly and cover one another.

A :class:`Scene` is a photograph seen by a moving camera (pan, zoom, rotation, hand shake) and a few things in
front, cut from other photographs, each on its own path. All motion is sub-pixel and smooth in time. The
matrices M(t) of :mod:`ncfl.data.synthetic.scene_layers` give the backward flow of a layer in closed form: p' - p with
p' = M(t-1)^-1 M(t) p, which is affine in p.

Used by the demo source and to pretrain motion estimation. Needs numpy and OpenCV only.
"""

from collections.abc import Mapping, Sequence

import cv2
import numpy as np

from ncfl.data.synthetic.scene_layers import Background, Foreground, Outline, cut_out, random_patch

MIXED = 0.001  # opacity that shows: a quarter of a gray level at full contrast


class Scene:
    """A short film whose exact motion is known.

    Args:
        photographs: name -> uint8 [H,W,3] RGB; at least one. They are cached by identity: do not change them.
        height, width: of a frame, pixels.
        rng: where the scene's layout and motion come from; nothing is drawn after construction.
        max_motion: how far a layer moves from one frame to the next at most (to within a few percent),
            pixels.
        frames: how long the scene lasts: paths are laid so that layers stay in view that long.
        background: name of the photograph behind; drawn from all unless given.
        outlines: name -> outlines of things in that photograph, which then move in front; without any,
            patches of random shape do.
    """

    def __init__(
        self,
        photographs: Mapping[str, np.ndarray],
        height: int,
        width: int,
        rng: np.random.Generator,
        *,
        max_motion: float = 4.0,
        frames: int = 2,
        background: str | None = None,
        outlines: Mapping[str, Sequence[Outline]] | None = None,
    ) -> None:
        names = list(photographs)
        self.size = (height, width)
        if background is None:
            background = names[int(rng.integers(len(names)))]
        others = [name for name in names if name != background] or names
        things = [(name, outline) for name in others for outline in (outlines or {}).get(name, ())]
        things = things or [(name, None) for name in others]
        self._background = Background(photographs[background], self.size, rng, max_motion, frames)
        self._foregrounds = []
        for _ in range(int(rng.integers(1, 4))):
            name, outline = things[int(rng.integers(len(things)))]
            if len(things) > 1:  # no thing twice
                things.remove((name, outline))
            if outline is None:
                cut = random_patch(photographs[name], min(self.size) * rng.uniform(0.12, 0.32), rng)
            else:
                cut = cut_out(photographs[name], outline, min(self.size) * rng.uniform(0.2, 0.45))
            self._foregrounds.append(Foreground(*cut, self.size, rng, max_motion, frames))

    def render(self, t: float) -> np.ndarray:
        """The frame at time ``t`` (in frames; need not be whole), uint8 [H,W,3] RGB."""
        return self._compose(t)[0]

    def labels(self, t: float) -> np.ndarray:
        """Which layer is visible at time ``t``, uint8 [H,W]: 0 the background, then the things in front."""
        return self._compose(t)[1]

    def flow(self, t: float) -> np.ndarray:
        """Backward flow of the visible layer, frame ``t`` to ``t - 1``: float32 [H,W,2] (x, y), pixels."""
        return self._flow(t, self._compose(t)[1])

    def occluded(self, t: float) -> np.ndarray:
        """Where frame ``t - 1`` does not show what frame ``t`` shows, bool [H,W].

        True where the visible layer was covered or outside the frame one frame earlier, and on the soft edges
        of foregrounds, whose pixels mix two layers and hence two motions.
        """
        _, labels, mixed = self._compose(t)
        _, labels_before, mixed_before = self._compose(t - 1)
        height, width = self.size
        rows, columns = np.mgrid[:height, :width].astype(np.float32)
        flow = self._flow(t, labels)
        x, y = columns + flow[..., 0], rows + flow[..., 1]
        outside = (x < 0) | (y < 0) | (x > width - 1) | (y > height - 1)

        def before(image: np.ndarray, kind: int) -> np.ndarray:
            return cv2.remap(image, x, y, kind, borderMode=cv2.BORDER_REPLICATE)

        other = before(labels_before, cv2.INTER_NEAREST) != labels
        # Linear: a single mixed pixel among the four that are interpolated spoils the result.
        spoiled = before(mixed_before.astype(np.float32), cv2.INTER_LINEAR) > 0
        return outside | other | mixed | spoiled

    def _compose(self, t: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The frame; which layer is visible (0: background), uint8 [H,W]; where layers mix, bool [H,W]."""
        frame = self._background.draw(t)
        labels = np.zeros(self.size, np.uint8)
        mixed = np.zeros(self.size, bool)
        for number, layer in enumerate(self._foregrounds, start=1):
            drawn = layer.draw(t)
            if drawn is None:
                continue
            part, colors, alpha = drawn
            below = np.ascontiguousarray(frame[part])
            frame[part] = cv2.blendLinear(colors, below, alpha, 1 - alpha)
            labels[part][alpha > 0.5] = number
            opaque = alpha >= 1 - MIXED
            mixed[part] = (mixed[part] & ~opaque) | ((alpha > MIXED) & ~opaque)
        return frame, labels, mixed

    def _flow(self, t: float, labels: np.ndarray) -> np.ndarray:
        height, width = self.size
        columns = np.arange(width, dtype=np.float32)
        rows = np.arange(height, dtype=np.float32)[:, None]
        flow = np.empty((height, width, 2), np.float32)
        for number, layer in enumerate((self._background, *self._foregrounds)):
            now, before = layer.path.matrix(t), layer.path.matrix(t - 1)
            inverse = np.linalg.inv(before[:, :2])
            linear = (inverse @ now[:, :2] - np.eye(2)).astype(np.float32)
            shift = (inverse @ (now[:, 2] - before[:, 2])).astype(np.float32)
            for axis in (0, 1):
                moved = (linear[axis, 0] * columns + shift[axis]) + linear[axis, 1] * rows
                if number == 0:
                    flow[..., axis] = moved
                else:
                    np.copyto(flow[..., axis], moved, where=labels == number)
        return flow


def scene_pair(
    photographs: Mapping[str, np.ndarray],
    size: int | tuple[int, int],
    rng: np.random.Generator,
    max_motion: float = 4.0,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Two frames of a fresh scene and the motion between them: what motion estimation is pretrained on.

    Args:
        photographs: as :class:`Scene`; pass the same arrays every time, since their filtered forms are
            cached.
        size: of a frame, pixels: one number, or (height, width).
        rng: a pair is a function of its state.
        max_motion: pixels.

    Returns:
        frame_t, frame_prev (uint8 [H,W,3] RGB) and flow (float32 [H,W,2], backward: from frame_t to
        frame_prev).
    """
    height, width = (size, size) if isinstance(size, int) else size
    scene = Scene(photographs, height, width, rng, max_motion=max_motion)
    frame, labels, _ = scene._compose(1.0)
    return frame, scene.render(0.0), scene._flow(1.0, labels)
