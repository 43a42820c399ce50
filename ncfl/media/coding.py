"""How the frames of a video file are stored: by which encoder, in which samples; and what of theirs that loses."""

from dataclasses import dataclass

from ncfl.media.frame_io import Origin
from ncfl.media.notes import note
from ncfl.media.planes import COEFFICIENTS, Samples
from ncfl.media.siting import OPTION, taken_for
from ncfl.media.video_input import HD_ROWS, UNSPECIFIED

BT709 = 1
_X265_BLOCK = 64  # pixels
_X264_BLOCK = 16
# Where players do not take how color is stored, what has room for all of its samples.
_ROOM = {"440": "444", "411": "422", "410": "420"}


@dataclass(frozen=True)
class Coding:
    """How the frames are stored.

    Attributes:
        codec: FFmpeg's name of the encoder; and
        options: its options.
        pix_fmt: FFmpeg's name of the samples' order; and
        chroma: "420", "422" or "444" in it.
        bits: per sample.
        matrix: number of the color matrix in the standards, as the file will say.
        full_range: as in Origin.
    """

    codec: str
    options: dict[str, str]
    pix_fmt: str
    chroma: str
    bits: int
    matrix: int
    full_range: bool

    @property
    def samples(self) -> Samples:
        """How frames become samples; an unknown matrix is taken for BT.709 both ways, which keeps the samples."""
        known = self.matrix if self.matrix in COEFFICIENTS else BT709
        return Samples(self.chroma, self.bits, known, self.full_range)


def coding_of(suffix: str, size: tuple[int, int], quality: int, bits: int, origin: Origin | None) -> Coding:
    odd = size[0] % 2 or size[1] % 2
    chroma = (origin and origin.chroma) or "420"
    chroma = "444" if odd else _ROOM.get(chroma, chroma)
    sited = {OPTION: origin.siting} if origin and origin.siting and chroma == "420" else {}
    if suffix == ".avi":  # JPEG is BT.601 and full range by definition
        return Coding("mjpeg", {"qmin": "2", "qmax": "2"}, f"yuvj{chroma}p", chroma, 8, 5, True)
    # Pictures of 16 bits become 10, which players know.
    depth = 8 if bits == 8 else 12 if origin and origin.bits > 10 else 10
    # x265 writes beyond its memory where a frame is narrower than its largest block; x264 has no 12 bits.
    tiny = min(size) < _X265_BLOCK and suffix != ".y4m"
    depth = min(depth, 10) if tiny else depth
    pix_fmt = f"yuv{chroma}p" + ("" if depth == 8 else f"{depth}le")
    full_range = bool(origin and origin.full_range)
    if suffix == ".y4m":  # read by the rule for files that name no matrix
        return Coding("wrapped_avframe", sited, pix_fmt, chroma, depth, BT709 if size[0] >= HD_ROWS else 5, full_range)
    named = origin is not None and origin.chroma is not None and origin.matrix != UNSPECIFIED
    matrix = origin.matrix if named else BT709
    if depth == 8 or tiny:
        options = {"crf": str(quality), **sited}
        if -(-size[1] // _X264_BLOCK) % 8 > 0:
            # x264 weighs blocks eight at a time, the last ones of a row with what is not its memory: files would differ
            # from run to run.
            options["x264-params"] = "mbtree=0"
        return Coding("libx264", options, pix_fmt, chroma, depth, matrix, full_range)
    options = {"crf": str(quality), **sited, "x265-params": "log-level=error"}
    return Coding("libx265", options, pix_fmt, chroma, depth, matrix, full_range)


def coding_notes(coding: Coding, suffix: str, bits: int, origin: Origin | None) -> list[str]:
    """What of pixels of so many bits, from ``origin``, is not stored, a line each."""
    notes = []
    if coding.bits < bits:
        notes.append(note("bits", bits=bits, fewer=coding.bits, suffix=suffix))
    if origin and origin.chroma is None and coding.chroma != "444":
        notes.append(note("rgb"))
    if origin and origin.aspect not in (None, 1) and suffix == ".y4m":
        shape = f"{origin.aspect.numerator}:{origin.aspect.denominator}"
        notes.append(note("aspect", shape=shape, suffix=suffix))
    if origin and (taken := taken_for(suffix, coding.chroma, origin.siting)):
        notes.append(note("siting", siting=origin.siting, suffix=suffix, taken=taken))
    return notes
