"""What of a source its restoration does not keep, said in a line each: the one place that decides and has the words.

A reader tells what the source has (:class:`Properties`), a writer what its format holds (:class:`Target`); :func:`lost`
compares the two. What shows only while tracks are carried over, :func:`note` words. docs/files.md is the table of these
(:mod:`ncfl.media.file_properties`).
"""

from dataclasses import dataclass
from fractions import Fraction

# name: words. A name is what the table of files knows a note by.
WORDS = {
    "alpha": "transparency (alpha) is left out: only the colors are restored",
    "interlaced": "frames are interlaced ({first} field first), all or some: they are restored and written as whole "
    "frames; deinterlace before for a better result",
    "records": "HDR records are left out: {names}",
    "profile": "an ICC color profile is left out: the numbers of the pixels are kept",
    "matrix": "the color matrix (number {number} of ISO/IEC 23091-2) is taken for BT.709: colors come out "
    "changed; MP4, MOV and MKV keep them",
    "no rate": "pictures have no frame rate: written at {rate:g} frames/s; --rate gives another",
    "rate": "the frame rate ({rate:g} frames/s) is left out: a folder of pictures has none",
    "uneven": "frames come at uneven times: {suffix} knows one rate, they are written at {rate:g}/s",
    "sounds": "sound is left out ({tracks}): {why}",
    "sound": "sound ({codec}) is left out: {suffix} does not hold it",
    "encoded sound": "sound is encoded again ({codec} to {other}): {suffix} does not hold {codec}",
    "subtitles": "subtitles are left out ({tracks}): {why}",
    "subtitle": "a subtitle track ({codec}) is left out: {suffix} does not hold it",
    "pictures": "only the first picture track is restored: {tracks} of video left out",
    "covers": "the cover picture is left out",
    "attachments": "attached files such as fonts are left out ({count})",
    "timecode": "the time code {time} is left out",
    "data": "data tracks are left out ({count})",
    "chapters": "chapters are left out ({count}): {why}",
    "tags": "title and tags are left out ({names}): {why}",
    "bits": "{bits} bits are reduced to {fewer}: {suffix} is written with {fewer}",
    "rgb": "RGB is stored with a quarter of the color samples (4:2:0), as players expect; "
    "a folder of pictures keeps all",
    "siting": "chroma samples lie as they did ({siting}), but {suffix} is taken for {taken}: players may show colors "
    "moved by half a pixel",
    "aspect": "pixels of {shape} are written as square ones: {suffix} does not say their shape here",
    "scenes": "{scenes} (at frame {frames}, from 0): nothing is remembered across; --no-cuts goes on instead",
    "gray": "gray frames are restored with color noise added, which is averaged out again: noise alike in all channels "
    "is nothing that networks for color know",
}
_CHAPTERS = (".mp4", ".m4v", ".mov", ".mkv")
_TAGS = (*_CHAPTERS, ".avi")
_LABELED = _CHAPTERS  # formats that say which color matrix theirs is


def note(name: str, **values: object) -> str:
    """The line of a note: its name, of :data:`WORDS`, and what it speaks of."""
    return WORDS[name].format(**values)


@dataclass(frozen=True)
class Properties:
    """What a source has beside the colors of its pixels.

    Attributes:
        folder: whether it is a folder of pictures, which has no times.
        rate: frames per second; None where it has none.
        alpha: whether pixels have an opacity.
        interlaced: "top" or "bottom", the field that comes first; None for whole frames.
        matrix: the number of a color matrix that is not known here; None where it is.
        records: names of what is told about how to show it (mastering display, content light level, ...).
        sounds, subtitles: how many tracks.
        pictures: further picture tracks.
        covers: still pictures that stand for the whole.
        attachments: files within, such as the fonts of subtitles.
        timecode: the time code of its first frame; None where it has none.
        data: further tracks of data.
        chapters: how many.
        tags: names of what is told about it: title, artist, ...
        color_profiles: whether pictures bring an ICC profile.
    """

    folder: bool = False
    rate: Fraction | None = None
    alpha: bool = False
    interlaced: str | None = None
    matrix: int | None = None
    records: tuple[str, ...] = ()
    sounds: int = 0
    subtitles: int = 0
    pictures: int = 0
    covers: int = 0
    attachments: int = 0
    timecode: str | None = None
    data: int = 0
    chapters: int = 0
    tags: tuple[str, ...] = ()
    color_profiles: bool = False


@dataclass(frozen=True)
class Target:
    """What is written.

    Attributes:
        kind: a suffix such as ".mp4", or "folder" for pictures.
        rate: frames per second; None for a folder.
        rate_given: whether the user named the rate.
        streams: whether sound, subtitles and the like are carried over.
    """

    kind: str
    rate: Fraction | None = None
    rate_given: bool = False
    streams: bool = True


def lost(source: Properties, target: Target) -> list[str]:
    """What of ``source`` is not in the output, a line each, in the order in which people look for it."""
    return [*_of_pixels(source, target), *_of_time(source, target), *_of_tracks(source, target)]


def _of_pixels(source: Properties, target: Target) -> list[str]:
    notes = []
    if source.alpha:
        notes.append(note("alpha"))
    if source.interlaced:
        notes.append(note("interlaced", first=source.interlaced))
    if source.records:
        notes.append(note("records", names=", ".join(source.records)))
    if source.color_profiles:
        notes.append(note("profile"))
    if source.matrix is not None and target.kind not in _LABELED:
        notes.append(note("matrix", number=source.matrix))
    return notes


def _of_time(source: Properties, target: Target) -> list[str]:
    if source.folder and target.kind != "folder" and not target.rate_given:
        return [note("no rate", rate=float(target.rate or 0))]
    if not source.folder and target.kind == "folder" and source.rate:
        return [note("rate", rate=float(source.rate))]
    return []


def _of_tracks(source: Properties, target: Target) -> list[str]:
    notes = []
    in_folder, alone = target.kind == "folder", not target.streams
    why = "a folder of pictures holds none" if in_folder else "another frame rate was asked for"
    if source.sounds and (in_folder or alone):
        notes.append(note("sounds", tracks=_tracks(source.sounds), why=why))
    if source.subtitles and (in_folder or alone):
        notes.append(note("subtitles", tracks=_tracks(source.subtitles), why=why))
    if source.chapters and (alone or target.kind not in _CHAPTERS):
        notes.append(note("chapters", count=source.chapters, why=why if in_folder or alone else _holds_none(target)))
    if source.tags and (alone or target.kind not in _TAGS):
        reason = why if in_folder or alone else _holds_none(target)
        notes.append(note("tags", names=", ".join(source.tags), why=reason))
    if source.pictures:
        notes.append(note("pictures", tracks=_tracks(source.pictures)))
    if source.covers:
        notes.append(note("covers"))
    if source.attachments:
        notes.append(note("attachments", count=source.attachments))
    if source.timecode:
        notes.append(note("timecode", time=source.timecode))
    if source.data:
        notes.append(note("data", count=source.data))
    return notes


def _holds_none(target: Target) -> str:
    return f"{target.kind} holds none"


def _tracks(count: int) -> str:
    return "1 track" if count == 1 else f"{count} tracks"
