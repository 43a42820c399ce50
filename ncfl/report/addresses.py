"""Addresses that hold what they name, so that a page needs no file beside it."""

import base64
from pathlib import Path
from typing import TYPE_CHECKING

from ncfl.common.errors import InputError

if TYPE_CHECKING:
    import numpy as np

LOSSLESS = 101  # any quality above 100


def address(kind: str, content: bytes) -> str:
    """A ``data:`` address of some content; ``kind`` is its media type."""
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"


def webp(image: "np.ndarray", quality: int = LOSSLESS) -> bytes:
    """A picture as WebP, which takes two thirds of what PNG does where nothing is lost.

    Args:
        image: uint8 [H,W,3], or [H,W,4] with transparency, in OpenCV's order of colors: blue first.
        quality: 1 ... 100; exact above.
    """
    import cv2

    return cv2.imencode(".webp", image, [cv2.IMWRITE_WEBP_QUALITY, quality])[1].tobytes()


def picture_address(path: Path) -> str:
    """The address of a PNG file's picture, exact. InputError: no readable picture."""
    import cv2
    import numpy as np

    image = cv2.imdecode(np.frombuffer(path.read_bytes(), np.uint8), cv2.IMREAD_UNCHANGED)
    if image is None:
        raise InputError(f"{path}: expected a PNG picture, got what cannot be read as one; run `ncfl figures`")
    return address("image/webp", webp(image))
