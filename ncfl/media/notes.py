"""What of a source its restoration does not keep, said in a line each: the one place that decides.

A reader tells what the source has (:class:`Properties`), a writer what its format holds (:class:`Target`); :func:`lost`
compares the two. docs/files.md is the table of this function.
"""

from dataclasses import dataclass
from fractions import Fraction


@dataclass(frozen=True)
class Properties:
    """What a source has beside the colors of its pixels.

    Attributes:
        folder: whether it is a folder of pictures, which has no times.
        rate: frames per second; None where it has none.
        alpha: whether pixels have an opacity.
        interlaced: "top" or "bottom", the field that comes first; None for whole frames.
        mirrored: whether the file asks players to mirror its frames.
        records: names of what is told about how to show it (mastering display, content light level, ...).
        sounds, subtitles: how many tracks.
        pictures: further picture tracks.
        covers: still pictures that stand for the whole.
        attachments: files within, such as the fonts of subtitles.
        timecode: the time code of its first frame; None where it has none.
        data: further tracks of data.
        color_profiles: whether pictures bring an ICC profile.
    """

    folder: bool = False
    rate: Fraction | None = None
    alpha: bool = False
    interlaced: str | None = None
    mirrored: bool = False
    records: tuple[str, ...] = ()
    sounds: int = 0
    subtitles: int = 0
    pictures: int = 0
    covers: int = 0
    attachments: int = 0
    timecode: str | None = None
    data: int = 0
    color_profiles: bool = False


@dataclass(frozen=True)
class Target:
    """What is written.

    Attributes:
        kind: a suffix such as ".mp4", or "folder" for pictures.
        rate: frames per second; None for a folder.
        rate_given: whether the user named the rate.
        passengers: whether sound, subtitles and the like are carried over.
    """

    kind: str
    rate: Fraction | None = None
    rate_given: bool = False
    passengers: bool = True


def lost(source: Properties, target: Target) -> list[str]:
    """What of ``source`` is not in the output, a line each, in the order in which people look for it."""
    return [*_of_pixels(source), *_of_time(source, target), *_of_tracks(source, target)]


def _of_pixels(source: Properties) -> list[str]:
    notes = []
    if source.alpha:
        notes.append("transparency (alpha) is left out: only the colors are restored")
    if source.interlaced:
        first = source.interlaced
        notes.append(
            f"frames are interlaced ({first} field first): they are restored and written as whole frames; deinterlace "
            "before for a better result"
        )
    if source.mirrored:
        notes.append("the file asks for mirrored frames: they are written as they are stored, turned but not mirrored")
    if source.records:
        notes.append(f"HDR records are left out: {', '.join(source.records)}")
    if source.color_profiles:
        notes.append("an ICC color profile is left out: the numbers of the pixels are kept")
    return notes


def _of_time(source: Properties, target: Target) -> list[str]:
    if source.folder and target.kind != "folder" and not target.rate_given:
        return [f"pictures have no frame rate: written at {float(target.rate or 0):g} frames/s; --rate gives another"]
    if not source.folder and target.kind == "folder" and source.rate:
        return [f"the frame rate ({float(source.rate):g} frames/s) is left out: a folder of pictures has none"]
    return []


def _of_tracks(source: Properties, target: Target) -> list[str]:
    notes = []
    in_folder, alone = target.kind == "folder", not target.passengers
    why = "a folder of pictures holds none" if in_folder else "another frame rate was asked for"
    if source.sounds and (in_folder or alone):
        notes.append(f"sound is left out ({_tracks(source.sounds)}): {why}")
    if source.subtitles and (in_folder or alone):
        notes.append(f"subtitles are left out ({_tracks(source.subtitles)}): {why}")
    if source.pictures:
        notes.append(f"only the first picture track is restored: {_tracks(source.pictures)} of video left out")
    if source.covers:
        notes.append("the cover picture is left out")
    if source.attachments:
        notes.append(f"attached files such as fonts are left out ({source.attachments})")
    if source.timecode:
        notes.append(f"the time code {source.timecode} is left out")
    if source.data:
        notes.append(f"data tracks are left out ({source.data})")
    return notes


def _tracks(count: int) -> str:
    return "1 track" if count == 1 else f"{count} tracks"
