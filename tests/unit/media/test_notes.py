"""What is lost is said, each in a line; what is kept is not."""

from fractions import Fraction

import pytest

from ncfl.media.notes import Properties, Target, lost

VIDEO, FOLDER = Target(".mp4", Fraction(25)), Target("folder")


@pytest.mark.parametrize(
    ("source", "target", "words"),
    [
        (Properties(alpha=True), VIDEO, ["transparency"]),
        (Properties(interlaced="top"), VIDEO, ["interlaced (top field first)"]),
        (Properties(records=("mastering display", "content light level")), VIDEO, ["mastering display, content light"]),
        (Properties(folder=True), VIDEO, ["written at 25 frames/s; --rate"]),
        (Properties(folder=True), Target(".mp4", Fraction(24), rate_given=True), []),
        (Properties(folder=True), FOLDER, []),
        (Properties(folder=True, color_profiles=True), FOLDER, ["ICC"]),
        (Properties(rate=Fraction(50), sounds=1), FOLDER, ["frame rate (50 frames/s)", "sound is left out (1 track)"]),
        (Properties(rate=Fraction(50), sounds=2, subtitles=1), VIDEO, []),
        (
            Properties(rate=Fraction(50), sounds=2),
            Target(".mp4", Fraction(24), rate_given=True, streams=False),
            ["sound is left out (2 tracks): another frame rate"],
        ),
        (Properties(pictures=1), VIDEO, ["first picture track"]),
        (Properties(covers=1), VIDEO, ["cover picture"]),
        (Properties(attachments=2), VIDEO, ["fonts are left out (2)"]),
        (Properties(timecode="10:11:12:05"), VIDEO, ["time code 10:11:12:05"]),
        (Properties(data=1), VIDEO, ["data tracks are left out (1)"]),
        (Properties(chapters=2), VIDEO, []),
        (
            Properties(chapters=2, tags=("title",)),
            Target(".y4m"),
            ["chapters are left out (2): .y4m", "tags are left out"],
        ),
        (Properties(matrix=8), VIDEO, []),
        (Properties(matrix=8), FOLDER, ["number 8 of ISO/IEC 23091-2"]),
    ],
)
def test_notes(source, target, words):
    found = lost(source, target)
    assert len(found) == len(words)
    for note, expected in zip(found, words, strict=True):
        assert expected in note
        assert "\n" not in note
