"""What is done to clean frames: additive white Gaussian noise, with a seed that anybody can have again."""

import hashlib

import numpy as np


def noise_rng(seed: int, dataset: str, sequence: str, sigma: float) -> np.random.Generator:
    """The noise of one sequence at one level, the same on every machine and in every run.

    The seed is the SHA-256 of the arguments: Python's ``hash`` differs between processes. Noise is drawn
    frame by frame in the order of the frames, so the first n frames' noise does not depend on how many
    follow.
    """
    text = f"{seed}/{dataset}/{sequence}/{float(sigma)!r}"
    return np.random.default_rng(int.from_bytes(hashlib.sha256(text.encode()).digest(), "big"))


def awgn(frames: np.ndarray, sigma: float | np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Add white Gaussian noise.

    Args:
        frames: float32, any shape, 0..1 for the range that ``sigma`` measures in 0..255.
        sigma: standard deviation in 0..255 ("sigma 50" of the paper), one number or an array that broadcasts.
        rng: advanced by one normal number per sample, also where sigma is 0.

    Returns:
        float32 of the same shape; not clipped, so values leave 0..1.
    """
    noise = rng.standard_normal(frames.shape, dtype=np.float32)
    noise *= np.asarray(sigma, dtype=np.float32) / np.float32(255)
    noise += frames
    return noise
