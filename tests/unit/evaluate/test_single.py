"""One restored frame, against the picture that an evaluation keeps of the same one."""

import numpy as np
import pytest
from helpers.protocol_samples import HEIGHT, WIDTH, Recorder, run
from torch import Tensor

from ncfl.common.errors import InputError
from ncfl.data.store import ClipStore
from ncfl.evaluate.protocol import DegradedSource
from ncfl.evaluate.single import find_frame, restored_frame


class Ahead:
    """A window method that gives the frame after the middle one: wrong ends or a lag would show."""

    name, blind, channels, radius, border = "ahead", True, 3, 1, "reflect"

    def apply(self, frames: Tensor, sigma: Tensor | None) -> Tensor:
        return frames[:, 2]


@pytest.mark.parametrize("method", [Recorder(0.1), Ahead()])
@pytest.mark.parametrize("frame", [0, 2, 4])
def test_it_is_the_frame_that_an_evaluation_keeps(store: ClipStore, method: object, frame: int):
    keep = {"set8": {"sequence": "long", "frame": frame, "sigma": 50}}
    kept = run(method, store, keep=keep, progress=False).examples
    clip = find_frame(store, "set8", "test", "long", frame)
    found = restored_frame(method, clip, source=DegradedSource("set8", 7), convention="rgb", frame=frame, sigma=50)
    names = (f"long_{frame}_clean.png", f"long_{frame}_sigma50_input.png", f"long_{frame}_sigma50.png")
    for image, name in zip(found, names, strict=True):
        assert image.shape == (HEIGHT, WIDTH, 3)
        np.testing.assert_array_equal(image, kept[name], err_msg=name)


def test_what_is_not_there_is_named(store: ClipStore):
    with pytest.raises(InputError, match=r"--sequence: expected one of set8's test split, long, .*; got 'no'"):
        find_frame(store, "set8", "test", "no", 0)
    with pytest.raises(InputError, match=r"--frame: expected 0..1 of short, got 2"):
        find_frame(store, "set8", "test", "short", 2)
