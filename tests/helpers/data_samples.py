"""Small films and video files that the tests of the data part make for themselves."""

import os
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[2]


def film(frames: int = 12, height: int = 48, width: int = 64, seed: int = 0) -> list[np.ndarray]:
    """A smooth picture that moves by two pixels per frame, uint8 [H,W,3] RGB."""
    rng = np.random.default_rng(seed)
    noise = rng.random((height + 40, width + 2 * frames + 40, 3)) * 255
    scene = cv2.normalize(cv2.GaussianBlur(noise, (0, 0), 4), None, 20, 235, cv2.NORM_MINMAX).astype(np.uint8)
    return [np.ascontiguousarray(scene[:height, 2 * t : 2 * t + width]) for t in range(frames)]


def encode(
    path: Path,
    frames: list[np.ndarray],
    codec: str = "libx264",
    pix_fmt: str = "yuv420p",
    rate: Fraction = Fraction(25),
    options: dict[str, str] | None = None,
    **codec_options: str,
) -> Path:
    """Write a video file with PyAV alone."""
    import av

    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w", options=options or {}) as container:
        stream = container.add_stream(codec, rate=rate)
        stream.height, stream.width = frames[0].shape[:2]
        stream.pix_fmt, stream.options = pix_fmt, codec_options
        for frame in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        container.mux(stream.encode())
    return path


def pictures(folder: Path, frames: list[np.ndarray], suffix: str = ".png", first: int = 0) -> Path:
    """Write frames as numbered pictures."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, frame in enumerate(frames, start=first):
        assert cv2.imwrite(str(folder / f"{number}{suffix}"), frame[..., ::-1])
    return folder


def psnr(a: np.ndarray, b: np.ndarray) -> float:
    """Of uint8 values, dB."""
    return float(10 * np.log10(255**2 / max(np.mean((a.astype(float) - b.astype(float)) ** 2), 1e-9)))


def footage() -> Path:
    """The folder of real footage beside the repository; skips the test where it is not there."""
    folder = Path(os.environ.get("NCFL_CLIPS", ROOT.parent / "shared" / "clips"))
    if not folder.is_dir():
        pytest.skip(f"no real footage at {folder} (set NCFL_CLIPS to a folder that has some)")
    return folder


def put(root: Path, *paths: str) -> None:
    """Empty files below ``root``, with the folders that they lie in."""
    for path in paths:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).touch()
