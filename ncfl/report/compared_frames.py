"""The scenes that the page lets people compare: one kept frame of a dataset by every method that kept it."""

from collections.abc import Sequence
from dataclasses import dataclass

from ncfl.report.addresses import address, webp
from ncfl.report.cells import SLUGS
from ncfl.report.results import TITLES, Results
from ncfl.report.strip import Strip, Subject, load

# What is shown, the dataset that its methods were trained on, what the input is called, and the paper's figure of it.
SUBJECTS = (
    ("set8", "davis", "Noisy", "Figures 5 and 6"),
    ("ntu-rain", "ntu-rain", "Rainy", "Figure 7"),
    ("revide", "revide", "Hazy", "Figure 8"),
    ("crvd", "crvd", "Noisy", ""),
)
LOSSLESS_BYTES = 600_000  # of a scene; larger ones are kept as WebP, or a page of frames of 960x540 had 30 MB
QUALITY = 90
COARSE = 320  # pixels across; a smaller frame is enlarged so much that its pixels should be seen as such


@dataclass(frozen=True)
class ShownPicture:
    """One version of the frame: what it is, its PSNR in dB as text (empty for the clean one), and a data address."""

    name: str
    quality: str
    address: str


@dataclass(frozen=True)
class ShownFrame:
    """One frame in all its versions: clean, degraded, then the methods, NCFL last.

    Attributes:
        key: for identifiers in the page.
        title: the dataset, and the paper's figures that show it.
        what: which frame of which data it is.
        width, height: pixels.
        coarse: whether it is enlarged so much that pixels should stay squares.
    """

    key: str
    title: str
    what: str
    width: int
    height: int
    coarse: bool
    pictures: Sequence[ShownPicture]


def scenes(results: Results) -> list[ShownFrame]:
    """All scenes of which NCFL's evaluation kept a frame.

    Raises:
        InputError: a picture is missing, unreadable or of another size.
    """
    methods = (*(method for method in SLUGS if method not in ("NCFL", "Noisy input")), "NCFL")
    found = []
    for dataset, trained, degraded, figures in SUBJECTS:
        strip = load(results, Subject(dataset, trained, degraded, methods))
        if strip is not None:
            title = TITLES[dataset] + (f" (shown in the paper's {figures})" if figures else "")
            found.append(_scene(dataset, title, strip))
    return found


def _scene(key: str, title: str, strip: Strip) -> ShownFrame:
    height, width = strip.panels[0].image.shape[:2]
    noise = f", noise σ = {strip.sigma:g}" if strip.sigma else ""
    encoded = [webp(panel.image[..., ::-1]) for panel in strip.panels]
    if sum(map(len, encoded)) > LOSSLESS_BYTES:
        encoded = [webp(panel.image[..., ::-1], QUALITY) for panel in strip.panels]
    pictures = [
        ShownPicture(panel.name, "" if panel.psnr is None else f"{panel.psnr:.2f} dB", address("image/webp", content))
        for panel, content in zip(strip.panels, encoded, strict=True)
    ]
    what = f"Frame {strip.frame} of {strip.sequence} ({strip.data}){noise}"
    return ShownFrame(key, title, what, width, height, width < COARSE, pictures)
