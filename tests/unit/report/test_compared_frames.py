"""Scenes to compare: every kept version of a frame, whole, and small enough for a page."""

import base64
from pathlib import Path

import cv2
import numpy as np
import pytest
from helpers.report_samples import EXPERIMENTS, write_examples, write_results

from ncfl.report import compared_frames as module
from ncfl.report.compared_frames import scenes
from ncfl.report.results import Results


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Results:
    root = write_results(tmp_path_factory.mktemp("scenes"))
    write_examples(root)
    return Results(root, EXPERIMENTS)


def decoded(address: str) -> np.ndarray:
    content = base64.b64decode(address.partition(";base64,")[2])
    return cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR)


def test_a_scene_has_every_version_that_was_kept(results: Results):
    first, *others = scenes(results)
    assert [scene.key for scene in (first, *others)] == ["set8", "ntu-rain", "revide", "crvd"]
    names = [picture.name for picture in first.pictures]
    assert names == ["Clean", "Noisy", "FastDVDNet", "Median 3×3", "Median 5×5", "NCFL"]
    assert first.what == "Frame 3 of clip_a (demo stand-in), noise σ = 50"
    assert (first.width, first.height, first.coarse) == (80, 48, True)


def test_pictures_are_the_kept_ones_bit_by_bit(results: Results):
    kept = results.root / "experiments/ncfl-davis/evaluation/examples/set8"
    files = (kept / f"clip_a_3{suffix}.png" for suffix in ("_clean", "_sigma50_input", "_sigma50"))
    (scene, *_) = scenes(results)
    for picture, file in zip((scene.pictures[0], scene.pictures[1], scene.pictures[-1]), files, strict=True):
        assert np.array_equal(decoded(picture.address), cv2.imread(str(file)))


def test_the_quality_beside_a_name_is_that_of_its_picture(results: Results):
    (scene, *_) = scenes(results)
    clean, *others = (decoded(picture.address) for picture in scene.pictures)
    assert scene.pictures[0].quality == ""
    for picture, image in zip(scene.pictures[1:], others, strict=True):
        assert picture.quality == f"{cv2.PSNR(image, clean):.2f} dB"


def test_large_scenes_are_kept_small_and_nearly_as_they_were(results: Results, monkeypatch: pytest.MonkeyPatch):
    exact = scenes(results)[0].pictures[0]
    monkeypatch.setattr(module, "LOSSLESS_BYTES", 0)
    small = scenes(results)[0].pictures[0]
    assert small.address.startswith("data:image/webp;")
    # In gray: the made-up picture changes its color from pixel to pixel, which no film does and WebP does not keep.
    assert cv2.PSNR(*(cv2.cvtColor(decoded(p.address), cv2.COLOR_BGR2GRAY) for p in (exact, small))) > 30


def test_without_kept_frames_there_is_nothing_to_compare(tmp_path: Path):
    assert scenes(Results(write_results(tmp_path), EXPERIMENTS)) == []
