"""The table of docs/files.md: for each property of a file what is kept, what is noted and what is refused.

Each cell that is not empty has a test (``helpers.cells``), each note of :mod:`ncfl.media.notes` has its row, and the
document is written from here: ``python -m ncfl.media.file_properties > docs/files.md``.
"""

from typing import Literal, NamedTuple

Outcome = Literal["kept", "noted", "refused"]
OUTCOMES: tuple[Outcome, ...] = ("kept", "noted", "refused")


class Row(NamedTuple):
    """A property of files: what is kept, noted and refused of it, in words; and the names of the notes."""

    name: str
    kept: str = ""
    noted: str = ""
    refused: str = ""
    notes: tuple[str, ...] = ()


ROWS = (
    Row("frame rate", "23.976, 29.97 and any other, in all video formats", "in a folder of pictures", notes=("rate",)),
    Row(
        "frame times",
        "uneven ones, and a first one that is not zero: MP4, MOV, MKV",
        "AVI and Y4M, which know one rate",
        notes=("uneven",),
    ),
    Row("edit lists", "what players show"),
    Row("B-frames, negative decoding times", "the frames as they are shown"),
    Row("clips cut without encoding, open GOPs", "every frame that can be decoded"),
    Row("orientation", "all eight, of videos (display matrix) and pictures (EXIF): frames come out upright"),
    Row("shape of pixels", "MP4, MOV, MKV, AVI", "Y4M", notes=("aspect",)),
    Row("range", "limited and full"),
    Row(
        "color matrix",
        "BT.601, BT.709, BT.2020, FCC, SMPTE 240M; MP4, MOV, MKV: any",
        "others in Y4M, AVI and pictures",
        notes=("matrix",),
    ),
    Row("primaries, transfer", "PQ and HLG too: MP4, MOV, MKV"),
    Row("HDR records", noted="mastering display, content light level, HDR10+, Dolby Vision", notes=("records",)),
    Row(
        "bits",
        "8, 10, 12 in MP4, MOV, MKV, Y4M; 8 and 16 in PNG and TIFF",
        "more than the format is written with: 16 in videos, 12 in those of less than 64 pixels, 10 in AVI and JPEG",
        notes=("bits",),
    ),
    Row(
        "chroma",
        "4:2:0, 4:2:2, 4:4:4; 4:0:0 and 4:1:0 as 4:2:0, 4:1:1 as 4:2:2, 4:4:0 as 4:4:4",
    ),
    Row(
        "siting of chroma",
        "nothing moves; what the file names: MP4, MOV, MKV; left, center and top left in Y4M",
        "what cannot be said: AVI is taken for the center, 4:2:2 elsewhere for left",
        notes=("siting",),
    ),
    Row("RGB", "in a folder of pictures", "in videos: 4:2:0", notes=("rgb",)),
    Row("interlaced frames", noted="restored and written as whole frames", notes=("interlaced",)),
    Row(
        "telecine",
        "fields that players are to repeat: as the times of frames",
        "frames of two pictures' fields, where any says that it is interlaced; they stay as they are",
    ),
    Row("transparency", noted="in videos and pictures", notes=("alpha",)),
    Row("size", "odd sizes, as 4:4:4; from 16 x 16", refused="smaller; several sizes in one clip"),
    Row("length that the file does not say", "all frames"),
    Row("damage", refused="a file cut off, a frame spoiled: its number is named"),
    Row(
        "sound",
        "several tracks, layout, language, default flag, offset",
        "encoded again as AAC, or left out, where the format does not hold it or another rate is asked for",
        notes=("sound", "sounds", "encoded sound"),
    ),
    Row(
        "subtitles",
        "where the format holds them",
        "elsewhere; attached fonts",
        notes=("subtitle", "subtitles", "attachments"),
    ),
    Row("chapters", "MP4, MOV, MKV", "elsewhere", notes=("chapters",)),
    Row("title, tags", "MP4, MOV, MKV, AVI", "elsewhere", notes=("tags",)),
    Row(
        "time code, covers, data, further pictures",
        noted="left out",
        notes=("timecode", "covers", "data", "pictures"),
    ),
    Row("names", "colons, spaces, other scripts, up to 255 bytes"),
    Row("scripts that are called videos", refused="ffconcat, playlists: no other file and no network is reached"),
    Row("other formats", refused="naming those that are read and written"),
    Row(
        "pictures",
        "PNG, JPEG, TIFF, WebP, BMP; 8 and 16 bits, gray, palette, one bit, CMYK, LZW, pages, floats from 0 to 1",
        "ICC profiles: the numbers of the pixels are kept",
        "32-bit integers; floats of another range; a file cut off",
        notes=("profile",),
    ),
    Row(
        "folders",
        "natural order, upper-case endings; hidden files are passed over; gaps with `--allow-gaps`",
        "the assumed rate of 25 frames/s, where `--rate` gives none",
        "a frame both as PNG and JPEG; missing numbers",
        notes=("no rate",),
    ),
    Row(
        "`frames/%05d.png`",
        "PNG, TIFF and JPEG, numbered from 1 on the way out; other files beside them stay",
        refused="a pattern that nothing fits; missing numbers; other kinds of pictures on the way out",
    ),
    Row("`-`", "Y4M on standard input and output", refused="anything else; a pipe that ends within a frame"),
    Row("new scenes", noted="nothing is remembered across; `--no-cuts` goes on", notes=("scenes",)),
    Row("noise in gray frames", noted="little of it: color noise is added and averaged out again", notes=("gray",)),
    Row(
        "an end before the end",
        "with `--resume` what is done, in `OUTPUT.parts`: videos of 60 frames that play, or pictures",
        refused="a full disk, an output that exists or is the input; nothing half written stays, after signals neither",
    ),
)


def markdown() -> str:
    """docs/files.md."""
    head = """# Files: what is kept, noted, refused

What `ncfl restore` does with each property of a file. *Noted* is a line on standard error; *refused* is one line and
exit code 2. This table is written by `python -m ncfl.media.file_properties`; each of its cells has a test, and each
note its row.

| property | kept | noted | refused |
|---|---|---|---|
"""
    rows = (f"| {row.name} | {row.kept} | {row.noted} | {row.refused} |\n" for row in ROWS)
    tail = """
A sample of an identity method comes back as it was to within a step of its own depth, whatever the siting of chroma.

**Long films.** `--resume` keeps what is done in `OUTPUT.parts`, 60 frames at a time. After any end, a kill too, the
same command goes on: its frames are those of a run that nothing disturbed, since the method's memory is kept as well
(one that looks ahead reads again what it needs). Each part of a video begins with a key frame; in the end the parts are
joined as they are, and the sound is added. Another input, method, option or version is refused.
"""
    return head + "".join(rows) + tail


def cells() -> set[tuple[str, Outcome]]:
    """The cells that say something: (property, outcome)."""
    return {(row.name, outcome) for row in ROWS for outcome in OUTCOMES if getattr(row, outcome)}


if __name__ == "__main__":
    print(markdown(), end="")
