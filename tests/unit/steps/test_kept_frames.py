"""The frame that an evaluation keeps as a picture, left out where it is none: presets speak of whole datasets."""

from types import SimpleNamespace

import pytest

from ncfl.config.evaluation import Example
from ncfl.steps.evaluation import _example

CLIPS = [SimpleNamespace(name="rafting", shape=(29, 540, 960, 3))]


def example(max_frames: dict[str, int], **fields: object) -> dict[str, object] | None:
    kept = Example(**{"sequence": 0, "frame": 10, "sigma": 50, **fields})
    settings = SimpleNamespace(examples={"set8": kept}, max_frames=max_frames)
    return _example(SimpleNamespace(evaluation=settings), "set8", CLIPS)


def test_a_frame_that_is_there_is_kept():
    assert example({"set8": 11}) == {"sequence": 0, "frame": 10, "sigma": 50}


@pytest.mark.parametrize(
    ("max_frames", "fields", "said"),
    [
        ({"set8": 10}, {}, "expected frame 0..9 of rafting, got 10"),
        ({}, {"frame": 29}, "expected frame 0..28 of rafting, got 29"),
        ({}, {"sequence": 5}, "expected sequence 0..0 or rafting, got 5"),
    ],
)
def test_one_beyond_what_is_there_is_left_out_and_named(capsys, max_frames, fields, said):
    assert example(max_frames, **fields) is None
    assert f"note: example of dataset set8: {said}; no picture is kept" in "".join(capsys.readouterr())
