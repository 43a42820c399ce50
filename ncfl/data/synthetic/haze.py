"""Synthetic haze for the stand-in of REVIDE, by the atmospheric scattering model.

    hazy = clean * t + A * (1 - t),     t = exp(-beta * depth)

A is the light of the haze, beta its density, depth how far away a pixel's content is, 0..1 (Koschmieder's law; He,
Sun and Tang 2009, "Single Image Haze Removal Using Dark Channel Prior", equations 1 and 2). The depth is that of a
made-up room: the background recedes upwards with a gentle relief, whatever moves in front stands nearer.
"""

import cv2
import numpy as np

DENSITY = (0.5, 0.9)  # beta, drawn per clip
LIGHT = (0.75, 0.9)  # A, drawn per clip
TINT = 0.03  # how far A's channels differ from their mean, at most
BOTTOM, TOP = 0.55, 1.0  # depth of the background's lowest and highest row
RELIEF = 0.12  # by how much the background's depth departs from that gradient, at most
NEAR = (0.25, 0.5)  # depth of what moves in front


class Haze:
    """The haze of one clip.

    Args:
        height, width: of a frame, pixels.
        rng: density, light and depths; nothing is drawn after construction.
    """

    def __init__(self, height: int, width: int, rng: np.random.Generator) -> None:
        self.beta = float(rng.uniform(*DENSITY))
        self.light = np.float32(rng.uniform(*LIGHT) + rng.uniform(-TINT, TINT, 3))
        hills = cv2.resize(rng.uniform(-RELIEF, RELIEF, (3, 4)), (width, height), interpolation=cv2.INTER_LINEAR)
        gradient = np.linspace(TOP, BOTTOM, height)[:, None]
        self._background = np.clip(gradient + hills, 0, 1).astype(np.float32)
        self._layers = rng.uniform(*NEAR, 256).astype(np.float32)  # one for every label

    def depth(self, labels: np.ndarray) -> np.ndarray:
        """How far away each pixel is.

        Args:
            labels: uint8 [H,W], 0 = background (:meth:`ncfl.data.synthetic.scenes.Scene.labels`).

        Returns:
            float32 [H,W] in [0,1].
        """
        if labels.shape != self._background.shape or labels.dtype != np.uint8:
            wanted, found = list(self._background.shape), list(labels.shape)
            raise ValueError(f"labels: expected uint8 {wanted}, got {labels.dtype} {found}")
        return np.where(labels == 0, self._background, self._layers[labels])

    def transmission(self, labels: np.ndarray) -> np.ndarray:
        """The share of light that passes the haze, float32 [H,W] in (0,1]; ``labels`` as :meth:`depth`."""
        return np.exp(-np.float32(self.beta) * self.depth(labels))

    def apply(self, frame: np.ndarray, labels: np.ndarray) -> np.ndarray:
        """A frame in this haze.

        Args:
            frame: uint8 [H,W,3].
            labels: as :meth:`depth`.

        Returns:
            uint8 [H,W,3].
        """
        if frame.shape != (*labels.shape, 3) or frame.dtype != np.uint8:
            raise ValueError(f"frame: expected uint8 {[*labels.shape, 3]}, got {frame.dtype} {list(frame.shape)}")
        passed = self.transmission(labels)[..., None]
        hazy = frame.astype(np.float32) * passed + 255 * self.light * (1 - passed)
        return np.rint(hazy.clip(0, 255)).astype(np.uint8)
