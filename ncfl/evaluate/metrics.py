"""PSNR and SSIM of images, by the conventions that published video denoisers share.

Both compare floats in [0,1] as they are; what is made of a frame before is the business of
:mod:`ncfl.evaluate.conventions`. SSIM is that of Wang et al. (2004): a
Gaussian window of 11 pixels with standard deviation 1.5, K1 = 0.01, K2 = 0.03, data range 1, the mean over
the pixels whose window lies inside the frame, and over the channels. It equals scikit-image's
``structural_similarity`` with ``gaussian_weights=True, sigma=1.5, use_sample_covariance=False``.
"""

import math
from typing import NamedTuple

import cv2
import numpy as np

from ncfl.common.errors import InputError

WINDOW = 11
WINDOW_SIGMA = 1.5
C1, C2 = 0.01**2, 0.03**2
# Equal frames have no finite PSNR, and one infinite frame would swallow a sequence's mean.
PSNR_CEILING = 100.0

_BORDER = WINDOW // 2
_CENTER = np.float32(0.5)
_TAPS = cv2.getGaussianKernel(WINDOW, WINDOW_SIGMA, cv2.CV_64F).astype(np.float32)


class Quality(NamedTuple):
    """How near an image is to its reference."""

    psnr: float  # dB, at most PSNR_CEILING
    ssim: float  # at most 1


class Reference:
    """A clean frame with what its comparisons share, so that several restorations of it cost less.

    Args:
        frame: float32 [H,W,C] in [0,1], at least 11 pixels in height and width.

    Raises:
        InputError: the frame is smaller than the SSIM window.
    """

    def __init__(self, frame: np.ndarray) -> None:
        if frame.ndim != 3 or frame.dtype != np.float32:
            raise ValueError(f"frame: expected float32 [H,W,C], got {frame.dtype} {list(frame.shape)}")
        height, width = frame.shape[:2]
        if min(height, width) < WINDOW:
            raise InputError(
                f"frame: expected at least {WINDOW} pixels in height and width, for SSIM, got {height} x {width}"
            )
        self.frame = np.ascontiguousarray(frame)
        # Variances don't change with a common shift, and float32 keeps more of them near zero than near one.
        centered = self.frame - _CENTER
        self._mean = _filter(centered)
        self._square = _filter(centered * centered)

    def compare(self, image: np.ndarray) -> Quality:
        """PSNR and SSIM of ``image``, float32 [H,W,C] in [0,1], against this frame."""
        difference = self._difference(image)
        if not difference.any():  # a clean input: not worth the filters
            return Quality(PSNR_CEILING, 1.0)
        return Quality(_psnr(difference), self._ssim(image, difference))

    def psnr(self, image: np.ndarray) -> float:
        """Peak signal-to-noise ratio in dB, from the mean squared error over all pixels and channels."""
        return _psnr(self._difference(image))

    def ssim(self, image: np.ndarray) -> float:
        """Structural similarity, mean over valid pixels and channels."""
        return self._ssim(image, self._difference(image))

    def _difference(self, image: np.ndarray) -> np.ndarray:
        if image.shape != self.frame.shape or image.dtype != np.float32:
            wanted, found = list(self.frame.shape), list(image.shape)
            raise ValueError(f"image: expected float32 {wanted}, as the reference is, got {image.dtype} {found}")
        return image - self.frame

    def _ssim(self, image: np.ndarray, difference: np.ndarray) -> float:
        # 2ab = a^2 + b^2 - (a-b)^2, for the means and for the covariance: each factor of SSIM becomes 1 minus
        # a ratio whose numerator is small where the images agree. Written with products instead, float32
        # loses digits there to cancellation.
        mean_difference = _filter(difference)
        mean = self._mean + mean_difference
        centered = image - _CENTER
        variances = self._square + _filter(centered * centered) - self._mean**2 - mean**2
        variance_difference = _filter(difference * difference) - mean_difference**2
        means = (self._mean + _CENTER) ** 2 + (mean + _CENTER) ** 2
        luminance = 1 - mean_difference**2 / (means + C1)
        structure = 1 - variance_difference / (variances + C2)
        return float(np.mean(luminance * structure, dtype=np.float64))


def psnr(reference: np.ndarray, image: np.ndarray) -> float:
    """PSNR in dB of ``image`` against ``reference``, float32 [H,W,C] in [0,1]; see :class:`Reference`."""
    return Reference(reference).psnr(image)


def ssim(reference: np.ndarray, image: np.ndarray) -> float:
    """SSIM of ``image`` against ``reference``, float32 [H,W,C] in [0,1]; see :class:`Reference`."""
    return Reference(reference).ssim(image)


def _psnr(difference: np.ndarray) -> float:
    error = cv2.norm(difference, cv2.NORM_L2SQR) / difference.size
    return PSNR_CEILING if error == 0 else min(-10 * math.log10(error), PSNR_CEILING)


def _filter(image: np.ndarray) -> np.ndarray:
    """The local mean, at the pixels whose window lies inside the image."""
    filtered = cv2.sepFilter2D(image, cv2.CV_32F, _TAPS, _TAPS)
    return filtered.reshape(image.shape)[_BORDER:-_BORDER, _BORDER:-_BORDER]
