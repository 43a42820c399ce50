"""The median filter of OpenCV, on frames whose noise may leave [0,1]."""

import cv2
import numpy as np
import torch
from torch import Tensor

# cv2.medianBlur takes float32 with these apertures only; larger ones want uint8, which would clip the noise.
KERNELS = (3, 5)


class Median:
    """A median over ``kernel`` x ``kernel`` pixels of each frame and channel alone, borders replicated.

    It filters the values as they come: noise that leaves [0,1] is not clipped before.

    Args:
        kernel: 3 or 5 pixels.
    """

    blind = True
    channels = None

    def __init__(self, kernel: int) -> None:
        if kernel not in KERNELS:
            raise ValueError(f"median kernel: expected one of {', '.join(map(str, KERNELS))}, got {kernel}")
        self.kernel = kernel
        self.name = f"median-{kernel}x{kernel}"

    def step(self, frame: Tensor, state: None, sigma: Tensor | None) -> tuple[Tensor, None]:
        """Filter ``frame`` [B,C,H,W]; see :meth:`ncfl.methods.interface.Recurrent.step`."""
        planes = frame.detach().cpu().numpy().reshape(-1, *frame.shape[-2:])
        filtered = np.stack([cv2.medianBlur(plane, self.kernel) for plane in planes])
        return torch.from_numpy(filtered.reshape(frame.shape)).to(frame.device), None
