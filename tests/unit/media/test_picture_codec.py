"""Pictures that others wrote, in the layouts that there are, read as what they show."""

import io
from pathlib import Path

import cv2
import numpy as np
import pytest
import tifffile
from helpers.cells import cell
from PIL import Image

from ncfl.common.errors import InputError
from ncfl.media.picture_codec import decode_pages, upright
from ncfl.media.pictures import check_sequence, read_picture

GRAY = np.arange(96, dtype=np.uint8).reshape(8, 12) * 2
COLOR = np.dstack((GRAY, 255 - GRAY, GRAY[:, ::-1]))
DEEP = COLOR.astype(np.uint16) * 257 - 100 * (COLOR > 0).astype(np.uint16)


def tiff(array: np.ndarray, **how) -> bytes:
    stream = io.BytesIO()
    tifffile.imwrite(stream, array, **how)
    return stream.getvalue()


def pillow(image: Image.Image, kind: str, **how) -> bytes:
    stream = io.BytesIO()
    image.save(stream, format=kind, **how)
    return stream.getvalue()


def repeated(gray: np.ndarray) -> np.ndarray:
    return np.dstack((gray, gray, gray))


ONE_BIT = Image.fromarray(GRAY > 90)
PALETTE = Image.fromarray(COLOR).quantize(256)
CASES = {
    "8 bits.tif": (tiff(COLOR, photometric="rgb"), COLOR),
    "16 bits.tif": (tiff(DEEP, photometric="rgb"), DEEP),
    "16 bits, channels apart.tif": (
        tiff(np.moveaxis(DEEP, -1, 0), photometric="rgb", planarconfig="separate"),
        DEEP,
    ),
    "8 bits, channels apart.tif": (
        tiff(np.moveaxis(COLOR, -1, 0), photometric="rgb", planarconfig="separate"),
        COLOR,
    ),
    "white is zero.tif": (tiff(GRAY, photometric="miniswhite"), repeated(255 - GRAY)),
    "white is zero, 16 bits.tif": (tiff(DEEP[..., 0], photometric="miniswhite"), repeated(65535 - DEEP[..., 0])),
    "floating.tif": (tiff((DEEP / 65535).astype(np.float32), photometric="rgb"), DEEP),
    "LZW.tif": (pillow(Image.fromarray(COLOR), "TIFF", compression="tiff_lzw"), COLOR),
    "palette.tif": (pillow(PALETTE, "TIFF"), np.asarray(PALETTE.convert("RGB"))),
    "one bit.tif": (pillow(ONE_BIT, "TIFF"), repeated(np.where(GRAY > 90, 255, 0).astype(np.uint8))),
    "gray.png": (pillow(Image.fromarray(GRAY), "PNG"), repeated(GRAY)),
    "palette.png": (pillow(PALETTE, "PNG"), np.asarray(PALETTE.convert("RGB"))),
    "one bit.png": (pillow(ONE_BIT, "PNG"), repeated(np.where(GRAY > 90, 255, 0).astype(np.uint8))),
    "16 bits.png": (cv2.imencode(".png", DEEP[..., ::-1])[1].tobytes(), DEEP),
    "lossless.webp": (pillow(Image.fromarray(COLOR), "WEBP", lossless=True), COLOR),
}


@cell("pictures", "kept")
@pytest.mark.parametrize("name", CASES)
def test_layouts(name):
    data, expected = CASES[name]
    (page,) = decode_pages(data, Path(name))
    assert page.pixels.dtype == expected.dtype
    assert np.array_equal(page.pixels, expected)
    assert not page.alpha


def test_inks_become_colors():
    """As Pillow itself turns CMYK into RGB, to a step or two; the fourth ink is no opacity."""
    inks = Image.fromarray(COLOR).convert("CMYK")
    (page,) = decode_pages(pillow(inks, "TIFF"), Path("inks.tif"))
    assert np.abs(page.pixels.astype(int) - np.asarray(inks.convert("RGB"))).max() <= 2
    assert not page.alpha


@cell("orientation", "kept")
@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["TIFF", "PNG", "JPEG", "WEBP"])
def test_all_eight_orientations(orientation, kind):
    """Pillow's own transposition by EXIF is the reference."""
    from PIL import ImageOps

    smooth = cv2.resize(COLOR, (48, 32), interpolation=cv2.INTER_CUBIC)
    exif = Image.Exif()
    exif[274] = orientation
    how = {"lossless": True} if kind == "WEBP" else {"quality": 95} if kind == "JPEG" else {}
    data = pillow(Image.fromarray(smooth), kind, exif=exif, **how)
    with Image.open(io.BytesIO(data)) as image:
        expected = np.asarray(ImageOps.exif_transpose(image).convert("RGB"))
    (page,) = decode_pages(data, Path(f"a.{kind.lower()}"))
    assert page.pixels.shape == expected.shape
    assert np.abs(page.pixels.astype(int) - expected).max() <= (4 if kind == "JPEG" else 0)


def test_orientations_by_hand():
    square = np.array([[1, 2], [3, 4]])
    seen = {2: [[2, 1], [4, 3]], 3: [[4, 3], [2, 1]], 6: [[3, 1], [4, 2]], 8: [[2, 4], [1, 3]]}
    for orientation, expected in seen.items():
        assert upright(square, orientation).tolist() == expected


@cell("pictures", "noted")
def test_pages_alpha_and_profiles_are_told():
    pages = [Image.fromarray(np.full((8, 8, 3), 40 * n, np.uint8)) for n in range(1, 6)]
    found = decode_pages(pillow(pages[0], "TIFF", save_all=True, append_images=pages[1:]), Path("stack.tif"))
    assert [int(page.pixels[0, 0, 0]) for page in found] == [40, 80, 120, 160, 200]
    seen_through = Image.fromarray(np.dstack((COLOR, GRAY)))
    (page,) = decode_pages(pillow(seen_through, "PNG", icc_profile=b"x" * 200), Path("a.png"))
    assert (page.alpha, page.profile) == (True, True)
    assert np.array_equal(page.pixels, COLOR)


@cell("pictures", "refused")
def test_refusals(tmp_path):
    for data, words in (
        (tiff(GRAY.astype(np.uint32)), "expected samples of 8 or 16 bits or floating-point ones in 0..1, got uint32"),
        (tiff(GRAY.astype(np.float32)), "expected floating-point samples in 0..1, got 0 to 190; scale them before"),
        (tiff(COLOR, photometric="rgb")[:60], "truncated or not readable"),
        (b"", "truncated or not readable"),
    ):
        with pytest.raises(InputError, match=words.replace(".", r"\.")):
            decode_pages(data, Path("a.tif"))
    with pytest.raises(InputError, match="not readable"):
        read_picture(tmp_path / "none.png")


@pytest.mark.parametrize(
    ("names", "words"),
    [
        (["f1.png", "f2.png", "f2.jpg"], "found f2.png and f2.jpg, the same frame twice"),
        (["f1.png", "f2.png", "f4.png"], "1 frame is missing between f2.png and f4.png"),
        (["0010.png", "0020.png", "0030.png", "0060.png"], "2 frames are missing between 0030.png and 0060.png"),
    ],
)
def test_twins_and_gaps_are_named(names, words):
    with pytest.raises(InputError, match=words):
        check_sequence([Path("clip", name) for name in names])


@pytest.mark.parametrize(
    "names",
    [
        ["f1.png"],
        ["a.png", "b.png", "z.png"],
        ["f0.png", "f5.png", "f10.png", "f15.png"],
        ["2024_x1.png", "2024_x2.png", "2024_x3.png"],
        ["left1.png", "left2.png", "right7.png"],
    ],
)
def test_even_sequences_are_taken(names):
    check_sequence([Path("clip", name) for name in names])


def test_gaps_may_be_allowed():
    check_sequence([Path(f"f{n}.png") for n in (1, 2, 3, 9)], allow_gaps=True)
