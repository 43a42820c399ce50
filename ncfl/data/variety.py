"""How training clips differ beyond their noise level: files as people have them, and motion as films have it."""

from typing import NamedTuple

import numpy as np

from ncfl.common.errors import InputError

LUMA = np.array([0.299, 0.587, 0.114], np.float32)  # BT.601, as gray files are made


class Variety(NamedTuple):
    """Shares of the clips that are drawn, each decided by itself, and how fast they play.

    Attributes:
        clipped: noise is clipped to [0,1] and rounded to 8 bits, as in every file of 8 bits.
        gray: three equal channels with the same noise in each.
        cuts: another clip goes on from a frame drawn from the second to the last.
        speeds: frames from one to the next, drawn from this list; what stands there twice is drawn twice as often.
            A clip that is too short for a speed plays at the greatest one that it is long enough for.
        camera: of clips whose noise is a camera's (:mod:`ncfl.data.camera`), and not white.
    """

    clipped: float = 0.0
    gray: float = 0.0
    cuts: float = 0.0
    speeds: tuple[int, ...] = (1,)
    camera: float = 0.0

    def checked(self, where: str) -> "Variety":
        """Itself. InputError: a share outside 0 ... 1, or a speed below 1; ``where`` names the block it stands in."""
        for name in ("clipped", "gray", "cuts", "camera"):
            share = getattr(self, name)
            if isinstance(share, bool) or not isinstance(share, int | float) or not 0 <= share <= 1:
                raise InputError(f"{where}.{name}: expected a share of the clips, 0 ... 1, got {share!r}")
        whole = all(isinstance(speed, int) and not isinstance(speed, bool) and speed >= 1 for speed in self.speeds)
        if not self.speeds or not whole:
            raise InputError(f"{where}.speeds: expected integers from 1 up, at least one, got {list(self.speeds)}")
        return self


PLAIN = Variety()


class Drawn(NamedTuple):
    """What was drawn for one clip: ``cut`` is the first frame of another clip, or the number of frames for none."""

    clipped: bool
    gray: bool
    cut: int
    speed: int


def draw(variety: Variety, rng: np.random.Generator, frames: int) -> Drawn:
    """One clip's share of ``variety``; as many random numbers are drawn whatever it says."""
    clipped, gray, cuts, place, speed = rng.random(5)
    cut = 1 + int(place * (frames - 1)) if frames > 1 and cuts < variety.cuts else frames
    return Drawn(clipped < variety.clipped, gray < variety.gray, cut, variety.speeds[int(speed * len(variety.speeds))])


def grayed(frames: np.ndarray) -> np.ndarray:
    """float32 [T,3,h,w] in [0,1] -> the same shape: luma in all three channels, rounded to 8 bits."""
    luma = np.einsum("c,tchw->thw", LUMA, frames)
    return np.repeat(as_file(luma)[:, None], 3, axis=1)


def as_file(frames: np.ndarray) -> np.ndarray:
    """Clipped to [0,1] and rounded to multiples of 1/255, float32: what a file of 8 bits keeps."""
    return np.round(np.clip(frames, 0, 1) * np.float32(255)) / np.float32(255)
