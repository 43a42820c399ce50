"""White noise is told from noise that neighbors share, and weights are taken accordingly, in a line."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from helpers.data_samples import film, pictures
from helpers.shipped_samples import TINY, export
from scipy.ndimage import uniform_filter
from typer.testing import CliRunner

import ncfl
from ncfl.cli.main import app
from ncfl.data.camera import Camera
from ncfl.models import variants
from ncfl.restoring.whiteness import whiteness, whiteness_of_file, whiteness_of_frames
from ncfl.weights import shipped as pretrained
from ncfl.weights.shipped import suited


def noise(sigma: float, *size: int) -> np.ndarray:
    return np.random.default_rng(0).normal(0, sigma, size).astype(np.float32)


@pytest.mark.parametrize("sigma", [8.0, 20.0])
def test_white_noise_has_1(sigma):
    assert whiteness(128 + noise(sigma, 256, 256, 3)) == pytest.approx(1, rel=0.04)


def test_of_blurred_noise_it_is_what_the_spectrum_says():
    """The mask's answer to noise of means over 2 x 2, and to the means of 2 x 2 of that, in closed form by correlation.

    One direction at a time: the mask is [1 -2 1] twice. Means of two neighbors have the autocorrelation 1/2, 1/4 at
    distances 0 and 1; [1 -2 1] has 6, -4, 1: variance 6/2 - 2 x 4/4 = 1. Means of two of these, every second one, are
    [1 2 1] / 4 of white noise: 3/8, 1/16 at distances 0 and 1: 6 x 3/8 - 2 x 4/16 = 7/4.
    """
    blurred = uniform_filter(noise(40, 512, 512, 3), (2, 2, 1))
    fine, coarse = 1.0, 7 / 4  # variances in one direction; over 6, and both directions multiply
    assert whiteness(128 + blurred) == pytest.approx(fine / (2 * coarse), rel=0.04)


def test_weak_noise_is_compared_with_weak_white_noise():
    """The same noise a third as strong: its ratio is the same, but less is expected of white noise as weak."""
    strong = whiteness(128 + uniform_filter(noise(40, 512, 512, 3), (2, 2, 1)))
    weak = whiteness(128 + uniform_filter(noise(14, 512, 512, 3), (2, 2, 1)))
    assert weak == pytest.approx(strong / 0.69, rel=0.02)


def test_a_camera_is_told_from_white_noise_on_a_scene():
    scene = film(3, 128, 160)
    clean = np.stack(scene).transpose(0, 3, 1, 2).astype(np.float32) / 255
    for sigma in (8.0, 20.0):
        for mosaic, low, high in ((True, 0.2, 0.75), (False, 0.8, 1.0)):
            filmed = Camera(sigma, mosaic=mosaic).film(clean, np.random.default_rng(1)).transpose(0, 2, 3, 1)
            found = whiteness_of_frames((255 * frame).round().astype(np.uint8) for frame in filmed)
            assert low < found <= high


def test_depth_changes_nothing_and_frames_without_noise_tell_nothing():
    frame = np.clip(128 + noise(10, 64, 65, 3), 0, 255).astype(np.uint8)
    assert whiteness(frame.astype(np.uint16) * 257) == pytest.approx(whiteness(frame), rel=1e-3)
    flat = np.full((64, 64, 3), 90, np.uint8)
    assert whiteness(flat) is None
    assert whiteness_of_frames([flat, flat]) is None
    assert whiteness_of_frames([flat, frame, flat]) == whiteness(frame)


def test_a_file_is_judged_by_some_frames_near_its_beginning(tmp_path):
    rng = np.random.default_rng(3)
    frames = [np.clip(128 + rng.normal(0, 10, (32, 32, 3)), 0, 255).astype(np.uint8) for _ in range(45)]
    found = whiteness_of_file(pictures(tmp_path / "clip", frames))
    assert found == whiteness_of_frames(frames[0:40:8])


@pytest.fixture
def two(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Weights for white noise, and some for noise that is less white than 0.6."""
    torch.manual_seed(0)
    models = {"white": variants.m_f(**TINY), "camera": variants.m_f(**TINY)}
    for model in models.values():  # a new network gives back what it is given
        for parameter in model.parameters():
            parameter.data += 0.02 * torch.randn_like(parameter)
    place = export(tmp_path / "pretrained", models, "white")
    index = json.loads((place / "index.json").read_text())
    index["weights"]["camera"]["whiteness_below"] = 0.6
    (place / "index.json").write_text(json.dumps(index))
    monkeypatch.setattr(pretrained, "folder", lambda: place)
    monkeypatch.delenv("NCFL_WEIGHTS", raising=False)
    return place


def test_weights_are_taken_by_how_white_noise_is(two, monkeypatch):
    assert suited(0.59).name == "camera"
    assert suited(0.6).name == "white"
    assert suited(None).name == "white"
    monkeypatch.setenv("NCFL_WEIGHTS", "white")
    assert suited(0.1).name == "white"


def clips() -> dict[str, list[np.ndarray]]:
    white = [np.clip(128 + noise(20, 48, 64, 3), 0, 255).astype(np.uint8)] * 3
    shared = [uniform_filter(frame, (2, 2, 1)) for frame in white]
    return {"white": white, "camera": shared}


@pytest.mark.parametrize("kind", ["white", "camera"])
def test_restore_says_what_it_took_and_a_name_overrides(two, tmp_path, kind):
    folder = pictures(tmp_path / kind, clips()[kind])
    runner = CliRunner()
    done = runner.invoke(app, ["restore", str(folder), str(tmp_path / "out")])
    assert done.exit_code == 0, done.output
    assert f"weights {kind}: {kind}, for the tests" in done.stderr
    assert ("neighboring pixels share the noise (whiteness 0." in done.stderr) == (kind == "camera")
    other = {"white": "camera", "camera": "white"}[kind]
    named = runner.invoke(app, ["restore", str(folder), str(tmp_path / "named"), "--weights", other])
    assert f"weights {other}: {other}, for the tests" in named.stderr
    assert "share the noise" not in named.stderr


@pytest.mark.parametrize("kind", ["white", "camera"])
def test_arrays_and_streams_are_restored_by_the_same_choice(two, tmp_path, kind):
    clip = np.stack(clips()[kind])
    named = ncfl.restore(clip, weights=kind)
    np.testing.assert_array_equal(ncfl.restore(clip), named)
    np.testing.assert_array_equal(np.stack(list(ncfl.restore(iter(clip)))), named)
    other = ncfl.restore(clip, weights={"white": "camera", "camera": "white"}[kind])
    assert not np.array_equal(other, named)
    with pytest.warns(UserWarning, match="sigma is not used"):
        ncfl.restore(clip, sigma=20)


def test_the_list_of_weights_says_what_they_are_for(two):
    table = CliRunner().invoke(app, ["weights"]).stdout.splitlines()
    rows = {line.split()[0]: line for line in table if line.startswith(("white ", "camera "))}
    assert "sigma 0..55" in rows["white"]
    assert "cameras" in rows["camera"]
    assert max(map(len, table)) <= 100


def test_texture_is_not_taken_for_noise_that_neighbors_share():
    """Half of a clean frame is texture as coarse as a camera's noise: by itself and with white noise."""
    frame = np.full((128, 128, 3), 120, np.float32)
    frame[:, 64:] += 30 * uniform_filter(noise(1, 128, 64, 3), (3, 3, 1)) * 3
    assert whiteness(frame) is None
    assert whiteness(frame + noise(10, 128, 128, 3)) == pytest.approx(1, rel=0.06)
