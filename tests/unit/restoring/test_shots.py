"""Scenes of a film are restored each for itself; flashes, pans and noise are no new scenes."""

import cv2
import numpy as np
import pytest
import torch
from helpers.cells import cell
from helpers.data_samples import film, footage, pictures

from ncfl.methods.noisy import Noisy
from ncfl.restoring.cuts import CutFinder
from ncfl.restoring.shots import Shots
from ncfl.restoring.streaming import restore

ONE, OTHER = film(6, seed=0), film(6, seed=1)


class Counts:
    """Recurrent stand-in that shows how many frames it has seen."""

    name, blind, channels = "counts", True, None

    def step(self, frame: torch.Tensor, state: int | None, sigma: None) -> tuple[torch.Tensor, int]:
        return frame + (state or 0) / 255, (state or 0) + 1


def cuts(frames: list[np.ndarray]) -> list[int]:
    finder = CutFinder()
    return [number for number, frame in enumerate(frames) if finder.is_cut(frame)]


def noisy(frames: list[np.ndarray], sigma: float) -> list[np.ndarray]:
    chance = np.random.default_rng(0)
    return [np.clip(frame + chance.normal(0, sigma, frame.shape), 0, 255).astype(np.uint8) for frame in frames]


def wide(frames: int, step: int) -> list[np.ndarray]:
    """A camera that stands, and then pans by ``step`` pixels a frame of 240 x 320."""
    chance = np.random.default_rng(2)
    scene = cv2.GaussianBlur(chance.random((240, 320 + step * frames, 3)) * 255, (0, 0), 12)
    scene = cv2.normalize(scene, None, 10, 245, cv2.NORM_MINMAX).astype(np.uint8)
    places = [0, 0, 0, *(step * t for t in range(frames))]
    return [np.ascontiguousarray(scene[:, x : x + 320]) for x in places]


@pytest.mark.parametrize("sigma", [0, 50])
@pytest.mark.parametrize("deep", [False, True])
def test_a_new_scene_is_found(sigma, deep):
    frames = noisy([frame.repeat(4, 0).repeat(4, 1) for frame in [*ONE, *OTHER, *ONE[:3]]], sigma)
    assert cuts([frame.astype(np.uint16) * 257 if deep else frame for frame in frames]) == [6, 12]


def test_scenes_of_one_frame_are_found():
    third = film(6, seed=2)
    assert cuts([ONE[0], *OTHER]) == [1]
    assert cuts([*ONE, OTHER[0], *third]) == [6, 7]


def test_a_scene_that_follows_black_is_found_where_it_begins():
    black = [np.zeros_like(ONE[0])] * 3
    assert cuts([*black, *ONE, *black, *OTHER]) == [3 + 6 + 3]
    assert cuts([*ONE, *black, *ONE]) == []


@pytest.mark.parametrize("step", [8, 32, 60])
def test_a_fast_pan_is_one_scene(step):
    assert cuts(wide(8, step)) == []


@pytest.mark.parametrize("flash", ["white", "bright", "half"])
def test_a_flash_is_no_new_scene(flash):
    lit = {
        "white": np.full_like(ONE[3], 255),
        "bright": np.clip(ONE[3].astype(int) + 90, 0, 255).astype(np.uint8),
        "half": ONE[3] // 3,
    }[flash]
    assert cuts([*ONE[:3], lit, *ONE[4:]]) == []


def test_noise_alone_and_a_still_are_one_scene():
    assert cuts(noisy([np.full((96, 128, 3), 128, np.uint8)] * 5, 50)) == []
    assert cuts([ONE[0]] * 5) == []


def test_real_scenes():
    """Every joint of these is a cut, and nothing within them is, however fast (bmx-trees, motocross-jump)."""
    folder = footage() / "DAVIS" / "JPEGImages" / "480p"
    frames, expected = [], []
    for name in ("bmx-trees", "judo", "motocross-jump", "tennis", "cows"):
        paths = sorted((folder / name).glob("*.jpg"))[:14]
        expected.append(len(frames))
        frames += [cv2.imread(str(path), cv2.IMREAD_REDUCED_COLOR_4) for path in paths]
    assert cuts(frames) == expected[1:]


@pytest.mark.parametrize("deep", [False, True])
def test_a_scene_is_restored_as_if_it_stood_alone(deep):
    kind = np.uint16 if deep else np.uint8
    one, other = ([frame.astype(kind) * (257 if deep else 1) for frame in scene] for scene in (ONE, OTHER))
    shots = Shots(Counts(), None, device="cpu")
    both = list(shots.restore([*one, *other]))
    alone = list(Shots(Counts(), None, device="cpu").restore(other))
    assert shots.cuts == [6]
    assert all(torch.equal(a, b) for a, b in zip(both[6:], alone, strict=True))
    through = list(Shots(Counts(), None, device="cpu", cuts=False).restore([*one, *other]))
    assert not torch.equal(through[6], alone[0])


class Mean:
    name, blind, channels, radius, border = "mean", True, None, 2, "reflect"

    def apply(self, frames: torch.Tensor, sigma: torch.Tensor | None) -> torch.Tensor:
        return frames.mean(1)


def test_a_window_does_not_reach_into_another_scene():
    both = list(Shots(Mean(), None, device="cpu").restore([*ONE, *OTHER]))
    apart = [frame for scene in (ONE, OTHER) for frame in Shots(Mean(), None, device="cpu").restore(scene)]
    assert len(both) == 12
    assert all(torch.equal(a, b) for a, b in zip(both, apart, strict=True))


@cell("new scenes", "noted")
def test_cuts_are_noted_with_their_frames(tmp_path):
    source = pictures(tmp_path / "in", [*ONE, *OTHER, *ONE])
    notes = restore(source, tmp_path / "out", method=Noisy(), progress=False)["notes"]
    assert notes == ["2 new scenes (at frame 6, 12, from 0): nothing is remembered across; --no-cuts goes on instead"]
    assert restore(source, tmp_path / "b", method=Noisy(), progress=False, cuts=False)["notes"] == []
    many = Shots(Noisy(), None, device="cpu")
    many.cuts = list(range(20))
    assert many.notes()[0].startswith("20 new scenes (at frame 0, 1, 2, 3, 4, 5, 6, 7, ..., from 0)")
