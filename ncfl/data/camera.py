"""Noise as a camera's footage has it: of a mosaic's light, developed to sRGB and compressed.

    clean sRGB --> linear light --> mosaic --> shot and read noise --> plain ISP --> 8 bits --> JPEG or H.264
    clean sRGB --> white noise, as of footage that was made noisy later ----------> 8 bits --> JPEG or H.264

Strengths follow T. Brooks et al., "Unprocessing Images for Learned Raw Denoising" (CVPR 2019), section 3.1: a raw
sample of light x in [0,1] has the variance shot * x + read, and log(read) is 2.18 log(shot) + 1.20, with a standard
deviation of 0.26. Neighbors and channels share the noise after demosaicing and subsampling of color, bright places have
more of it than dark ones, and the codec takes part of it away: nothing that white noise is.
"""

import functools
import io
from typing import NamedTuple

import cv2
import numpy as np

from ncfl.common.pyav import import_av
from ncfl.data import bayer
from ncfl.data.degradations import awgn
from ncfl.data.isp import PlainISP, linear, srgb
from ncfl.data.variety import as_file
from ncfl.media.planes import Samples, frame_of, from_rgb, planes_of, to_rgb

STRONGEST = 30.0  # sigma of what is drawn, 0..255
CODECS = ("none", "jpeg", "h264")
_CLEAN, _WHITE = 0.1, 0.25  # shares without noise, and with white noise
_GAINS = ((1.2, 2.4), (1.2, 2.4))  # red and blue, of daylight to incandescent light
_JPEG, _CRF = (50, 96), (14, 33)  # what is drawn, the last one excluded
_SENSOR = 4095  # of 12 bits
_FILE = Samples(chroma="420", bits=8, matrix=6, full_range=False)
_SHOTS = np.exp(np.linspace(np.log(1e-8), np.log(1.0), 2000))


class Camera(NamedTuple):
    """One camera and how its footage is kept.

    Attributes:
        sigma: of the noise, 0..255; a mosaic's is that of green in the middle of the range (0.5), before demosaicing.
        mosaic: whether the noise is that of a mosaic's light; else it is white, and scatter, gains and pattern are of
            no effect.
        scatter: of the logarithm of the read noise's variance around what goes with the shot noise.
        gains: white balance: red and blue; green has 1.
        pattern: colors of the mosaic's top left 2 x 2 pixels.
        codec: none (8 bits, all colors at full size), jpeg or h264; both keep color at half the size.
        quality: of JPEG, 0..100, or the rate factor of H.264, 0..51.
    """

    sigma: float
    mosaic: bool = True
    scatter: float = 0.0
    gains: tuple[float, float] = (1 / 0.5527, 1 / 0.4844)
    pattern: str = "rggb"
    codec: str = "none"
    quality: int = 90

    def variances(self) -> tuple[float, float]:
        """Those of the shot noise (times light) and of the read noise, of samples in [0,1]."""
        shot = float(np.exp(np.interp(np.log(max(self.sigma, 1e-3)), *_strengths())))
        return shot, float(_read(shot) * np.exp(self.scatter))

    def film(self, clean: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """The footage that this camera gives of a scene.

        Args:
            clean: float32 [T,3,h,w] sRGB in [0,1], h and w at least 4.
            rng: of the noise.

        Returns:
            float32 of the same shape: multiples of 1/255 in [0,1].

        Raises:
            InputError: H.264 without PyAV.
        """
        take = self._shot if self.mosaic else self._made_noisy
        frames = [take(frame, rng) for frame in clean.transpose(0, 2, 3, 1)]
        if self.codec == "jpeg":
            frames = [_through_jpeg(frame, self.quality) for frame in frames]
        elif self.codec == "h264":
            frames = _through_h264(frames, self.quality)
        return np.stack(frames).transpose(0, 3, 1, 2).astype(np.float32) / np.float32(255)

    def _made_noisy(self, frame: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """One frame [h,w,3] in [0,1] with white noise, uint8."""
        return np.round(as_file(awgn(frame, self.sigma, rng)) * 255).astype(np.uint8)

    def _shot(self, frame: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """One frame [h,w,3] in [0,1], noisy and developed, uint8."""
        height, width = frame.shape[:2]
        even = np.pad(frame, ((0, height % 2), (0, width % 2), (0, 0)), mode="reflect")
        red, blue = self.gains
        light = linear(even) / np.float32([red, 1, blue])
        mosaic = np.empty(even.shape[:2], np.float32)
        for channel, (row, column) in zip(bayer.PLANE_COLORS, bayer.sites(self.pattern), strict=True):
            mosaic[row::2, column::2] = light[row::2, column::2, channel]
        shot, read = self.variances()
        mosaic += np.sqrt(shot * mosaic + np.float32(read)) * rng.standard_normal(mosaic.shape, dtype=np.float32)
        counted = np.round(np.clip(mosaic, 0, 1) * _SENSOR) / np.float32(_SENSOR)
        developed = PlainISP(gains=(red, 1.0, blue), pattern=self.pattern)(bayer.pack(counted, self.pattern))
        return np.round(developed[:height, :width] * 255).astype(np.uint8)


def drawn(rng: np.random.Generator, *, strongest: float = STRONGEST) -> Camera:
    """Any camera, its noise from 0 to ``strongest``."""
    codec = CODECS[rng.choice(3, p=(0.1, 0.3, 0.6))]
    sigma = float(rng.uniform(0, strongest))
    return Camera(
        sigma=0.0 if rng.random() < _CLEAN else sigma,
        mosaic=bool(rng.random() >= _WHITE),
        scatter=float(0.26 * rng.standard_normal()),
        gains=(float(rng.uniform(*_GAINS[0])), float(rng.uniform(*_GAINS[1]))),
        pattern=bayer.PATTERNS[rng.integers(len(bayer.PATTERNS))],
        codec=codec,
        quality=int(rng.integers(*(_JPEG if codec == "jpeg" else _CRF))),
    )


def _read(shot: np.ndarray | float) -> np.ndarray | float:
    return np.exp(2.18 * np.log(shot) + 1.20)


def _sigma_of(shot: np.ndarray) -> np.ndarray:
    """The standard deviation at the middle of the range, 0..255, of noise so strong in linear light."""
    middle = float(linear(np.float32(0.5)))
    step = 1e-3
    slope = float(srgb(np.float32(middle + step)) - srgb(np.float32(middle - step))) / (2 * step)
    return np.sqrt(shot * middle + _read(shot)) * slope * 255


@functools.cache
def _strengths() -> tuple[np.ndarray, np.ndarray]:
    """The logarithms of what :func:`_sigma_of` gives, and of the shot noise for which it does."""
    return np.log(_sigma_of(_SHOTS)), np.log(_SHOTS)


def _through_jpeg(frame: np.ndarray, quality: int) -> np.ndarray:
    _, file = cv2.imencode(".jpg", frame[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])
    return np.ascontiguousarray(cv2.imdecode(file, cv2.IMREAD_COLOR)[..., ::-1])


def _through_h264(frames: list[np.ndarray], rate_factor: int) -> list[np.ndarray]:
    """Encoded and decoded by the converters that films are read and written with, which move no color."""
    av, held = import_av(), io.BytesIO()
    height, width = frames[0].shape[:2]
    # One thread, and a preset without the tree of macroblocks, so that equal frames give equal files.
    options = {"crf": str(rate_factor), "preset": "superfast", "threads": "1"}
    with av.open(held, "w", format="matroska") as output:
        stream = output.add_stream("libx264", rate=25, options=options)
        stream.width, stream.height, stream.pix_fmt = width + width % 2, height + height % 2, _FILE.pix_fmt
        for frame in frames:
            even = np.pad(frame, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
            planes = from_rgb(even.astype(np.uint16) * 257, _FILE)
            output.mux(stream.encode(frame_of(av, planes, _FILE.pix_fmt)))
        output.mux(stream.encode())
    held.seek(0)
    with av.open(held, format="matroska") as source:
        decoded = [to_rgb(planes_of(frame, _FILE), _FILE) for frame in source.decode(video=0)]
    return [((frame[:height, :width].astype(np.uint32) + 128) // 257).astype(np.uint8) for frame in decoded]
