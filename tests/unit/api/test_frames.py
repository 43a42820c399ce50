"""Frames in, frames out: types, lengths, streams, refusals."""

import subprocess
import sys

import numpy as np
import pytest

import ncfl

CLEAN = np.broadcast_to(np.linspace(60, 190, 40)[:, None, None], (40, 48, 3))


def noisy_clip(frames: int = 3, sigma: float = 30.0) -> np.ndarray:
    rng = np.random.default_rng(3)
    return np.clip(CLEAN + rng.normal(0, sigma, (frames, *CLEAN.shape)), 0, 255).round().astype(np.uint8)


@pytest.fixture(scope="module")
def method():
    return ncfl.load_method("ncfl-half", device="cpu")


def error_of(frame: np.ndarray, peak: float) -> float:
    return float(np.std(frame.astype(np.float64) * 255 / peak - CLEAN))


@pytest.mark.parametrize(("kind", "peak"), [("uint8", 255), ("uint16", 65535), ("float32", 1), ("float64", 1)])
def test_types_come_out_as_they_went_in_and_say_the_same(method, kind, peak):
    given = (noisy_clip() * (peak / 255)).astype(kind)
    restored = ncfl.restore(given, method=method)
    assert (restored.shape, restored.dtype) == (given.shape, given.dtype)
    assert error_of(given[-1], peak) > 25
    assert error_of(restored[-1], peak) < 6


def test_weights_that_ship_restore_without_being_named():
    restored = ncfl.restore(noisy_clip(1)[0], device="cpu")
    assert restored.shape == CLEAN.shape
    assert error_of(restored, 255) < 8


def test_a_stream_is_restored_frame_by_frame_as_the_array_is(method):
    clip, asked = noisy_clip(5), []

    def camera():
        for t, frame in enumerate(clip):
            asked.append(t)
            yield frame

    stream = ncfl.restore(camera(), method=method)
    assert asked == []
    first = next(stream)
    assert asked == [0]  # nothing is read ahead of what a recurrent method needs
    np.testing.assert_array_equal(np.stack([first, *stream]), ncfl.restore(clip, method=method))
    assert list(ncfl.restore(iter(()), method=method)) == []
    assert ncfl.restore(clip[:0], method=method).shape == (0, *CLEAN.shape)


def test_the_noise_level_is_estimated_for_a_method_that_must_be_told_it():
    told = []

    class Told:
        name, blind, channels, radius, border = "told", False, 3, 0, "reflect"

        def apply(self, frames, sigma):
            told.append(float(sigma))
            return frames[:, 0]

    clip = noisy_clip(7, sigma=20)
    np.testing.assert_array_equal(ncfl.restore(clip, method=Told()), clip)
    assert len(told) == 7
    assert told[0] == pytest.approx(20, abs=2)
    list(ncfl.restore(iter(clip[:1] / 255), 12.5, method=Told()))
    assert told[-1] == 12.5


def test_a_compared_method_by_name():
    clip = noisy_clip()
    with pytest.warns(UserWarning, match="median-3x3 finds the strength"):
        restored = ncfl.restore(clip, 30, method="median-3x3")
    assert error_of(restored[0], 255) < error_of(clip[0], 255) / 2


BAD = {
    "grey": (np.zeros((20, 20), np.uint8), {}, r"\[1, 20, 20\]|\[20, 20\]"),
    "small": (np.zeros((2, 8, 20, 3), np.uint8), {}, "at least 16"),
    "kind": (np.zeros((1, 20, 20, 3), np.int32), {}, "int32"),
    "scale": (np.full((1, 20, 20, 3), 128.0), {}, "mean of 128"),
    "nan": (np.full((1, 20, 20, 3), 0.5) * [1, 1, np.nan], {}, "finite|mean of nan"),
    "sizes": (iter([np.zeros((20, 20, 3), np.uint8), np.zeros((20, 24, 3), np.uint8)]), {}, r"frame 1.*\[20, 24, 3\]"),
    "sigma": (np.zeros((1, 20, 20, 3), np.uint8), {"sigma": 300}, "300"),
    "both": (np.zeros((1, 20, 20, 3), np.uint8), {"weights": "ncfl-half"}, "weights or method, got both"),
    "no array": (iter(["frame.png"]), {}, "str"),
}


@pytest.mark.parametrize("name", BAD)
def test_refusals_name_what_was_found(method, name):
    frames, options, found = BAD[name]
    with pytest.raises(ncfl.InputError, match=found):
        list(ncfl.restore(frames, method=method, **options))


@pytest.mark.parametrize("name", ["ncfl-hafl", "none.safetensors", "none.pt", "none.onnx"])
def test_a_method_that_is_not_there_is_refused(name):
    with pytest.raises(ncfl.InputError, match=name):
        ncfl.load_method(name)


def test_import_ncfl_is_light_and_offers_its_names():
    code = """
import sys, ncfl
print([m for m in ("torch", "numpy", "cv2", "pandas", "typer") if m in sys.modules])
print([name in dir(ncfl) for name in ncfl.__all__])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["[]", str([True] * len(ncfl.__all__))]
    with pytest.raises(AttributeError, match="no attribute 'restor'"):
        ncfl.restor  # noqa: B018


def test_gray_frames_and_cuts_are_treated_as_in_files():
    rng = np.random.default_rng(0)
    scenes = [np.full((48, 64, 1), level) + 40 * rng.random((48, 64, 1)) for level in (40.0, 190.0)]
    clip = np.concatenate([np.stack([scene] * 4) for scene in scenes])
    gray = np.repeat((clip + rng.normal(0, 8, clip.shape)).round().clip(0, 255), 3, -1).astype(np.uint8)
    whole = ncfl.restore(gray)
    assert (whole[..., 0] == whole[..., 1]).all(), "gray stays gray"
    np.testing.assert_array_equal(whole, np.stack(list(ncfl.restore(iter(gray)))))
    floats = ncfl.restore((gray / 255).astype(np.float32))
    assert np.abs(floats * 255 - whole).max() <= 0.51, "floating point is restored as bytes are"
    assert np.abs(ncfl.restore(gray, cuts=False)[4:].astype(int) - whole[4:]).max() > 1, "the second scene begins anew"
