"""Evaluation where a dataset brings its degradation along, and is compared in other spaces than float RGB."""

import json
import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from helpers.protocol_samples import HEIGHT, LENGTHS, WIDTH, Recorder, frames, plain_store, read_csv, run
from scipy.ndimage import median_filter
from skimage.color import rgb2ycbcr
from skimage.metrics import peak_signal_noise_ratio

from ncfl.common.errors import InputError
from ncfl.data.datasets.interface import RawFormat
from ncfl.data.frames import Pair
from ncfl.data.isp import PlainISP
from ncfl.data.store import ClipStore
from ncfl.data.store_writer import write_store
from ncfl.evaluate.protocol import write
from ncfl.methods.median.method import Median
from ncfl.methods.noisy import Noisy


@pytest.fixture(scope="module")
def rainy(tmp_path_factory: pytest.TempPathFactory) -> ClipStore:
    """Two clips with two shots each: the first 10 brighter than the clean frame, the second 90."""

    def pairs(name: str) -> Iterator[Pair]:
        for frame in frames(name, LENGTHS[name]):
            clean = frame // 2
            yield Pair(clean, (clean + 10, clean + 90))

    root = tmp_path_factory.mktemp("store") / "ntu-rain"
    splits = {"test": [(name, pairs(name)) for name in ("long", "short")]}
    write_store(root, dataset="ntu-rain", source="demo", stand_in=True, splits=splits, details={}, convention="y")
    return ClipStore(root)


def test_a_paired_dataset_feeds_its_first_shot(rainy: ClipStore):
    method = Recorder()
    run(method, rainy, dataset="ntu-rain", sigmas=[0])
    fed = np.rint(method.fed[0][0][0].transpose(1, 2, 0) * 255)
    np.testing.assert_array_equal(fed, next(frames("long", 1)) // 2 + 10)


def test_y_and_rgb_stand_beside_each_other(rainy: ClipStore):
    evaluation = run(Recorder(shift=-0.02), rainy, dataset="ntu-rain", sigmas=[0])
    # 10 / 255 too bright everywhere, and less bright by 5.1 / 255, rounded: 5; of which Y has 219 / 255.
    expected = {("y", "in"): 8.588, ("rgb", "in"): 10, ("y", "out"): 5 * 0.8588, ("rgb", "out"): 5}
    psnrs = {key: 20 * math.log10(255 / error) for key, error in expected.items()}
    assert [row.space for row in evaluation.frames[:4]] == ["y", "rgb", "y", "rgb"]
    assert len(evaluation.frames) == 2 * 7
    for row in (*evaluation.frames, *evaluation.sequences):
        assert row.psnr == pytest.approx(psnrs[row.space, "out"], abs=1e-2)
        assert row.input_psnr == pytest.approx(psnrs[row.space, "in"], abs=1e-2)
    summary = evaluation.summary
    assert (summary["convention"], summary["space"], list(summary["spaces"])) == ("y", "y", ["rgb"])
    assert summary["frames"] == 7
    assert summary["sigma"]["0"]["psnr"] == pytest.approx(psnrs["y", "out"], abs=1e-2)
    assert summary["spaces"]["rgb"]["0"]["input_psnr"] == pytest.approx(psnrs["rgb", "in"], abs=1e-2)
    assert summary["sigma"].keys() == summary["spaces"]["rgb"].keys()


def test_y_of_a_median_from_scikit_image(rainy: ClipStore):
    evaluation = run(Median(3), rainy, dataset="ntu-rain", sigmas=[0], max_frames=1)
    clean = next(frames("long", 1)) // 2
    fed = (clean + 10).astype(np.uint8)
    restored = median_filter(fed, size=(3, 3, 1), mode="nearest")
    clean_y, restored_y, fed_y = (rgb2ycbcr(image)[..., 0] for image in (clean, restored, fed))
    row = evaluation.frames[0]
    assert row.input_psnr == pytest.approx(peak_signal_noise_ratio(clean_y, fed_y, data_range=255), abs=1e-3)
    assert row.psnr == pytest.approx(peak_signal_noise_ratio(clean_y, restored_y, data_range=255), abs=1e-3)


def test_files_of_two_conventions(rainy: ClipStore, tmp_path: Path):
    evaluations = [
        run(Median(3), plain_store(tmp_path / "set8")),
        run(Median(3), rainy, dataset="ntu-rain", sigmas=[0]),
    ]
    summary = write(evaluations, tmp_path, experiment="median-3x3")
    assert json.loads((tmp_path / "summary.json").read_text()) == summary
    assert {name: list(spaces) for name, spaces in summary["conventions"]["compared"].items()} == {
        "rgb": ["rgb"],
        "y": ["y", "rgb"],
    }
    rows = [row for row in read_csv(tmp_path / "sequences.csv") if row["dataset"] == "ntu-rain"]
    assert [(row["sequence"], row["space"]) for row in rows] == [
        ("long", "y"),
        ("long", "rgb"),
        ("short", "y"),
        ("short", "rgb"),
    ]


def test_kept_images_of_a_paired_dataset(rainy: ClipStore):
    keep = {"ntu-rain": {"sequence": "short", "frame": 1, "sigma": 0}}
    examples = run(Recorder(shift=-1.0), rainy, dataset="ntu-rain", sigmas=[0], keep=keep).examples
    clean = list(frames("short", 2))[1] // 2
    assert list(examples) == ["short_1_clean.png", "short_1_sigma0_input.png", "short_1_sigma0.png"]
    np.testing.assert_array_equal(examples["short_1_clean.png"], clean)
    np.testing.assert_array_equal(examples["short_1_sigma0_input.png"], clean + 10)
    assert not examples["short_1_sigma0.png"].any()


BLACK, WHITE = 240, 4095


@pytest.fixture(scope="module")
def raw(tmp_path_factory: pytest.TempPathFactory) -> ClipStore:
    """One packed clip of three frames whose shot is 100 steps too bright."""
    rng = np.random.default_rng(1)

    def pairs() -> Iterator[Pair]:
        for _ in range(3):
            clean = rng.integers(BLACK, WHITE - 100, (HEIGHT, WIDTH, 4)).astype(np.uint16)
            yield Pair(clean, (clean + 100,))

    root = tmp_path_factory.mktemp("store") / "crvd"
    form = RawFormat(pattern="gbrg", black=BLACK, white=WHITE)
    write_store(
        root,
        dataset="crvd",
        source="demo",
        stand_in=True,
        splits={"test": [("scene7", pairs())]},
        details={},
        convention="raw",
        raw=form,
    )
    return ClipStore(root)


class Raw(Recorder):
    channels = 4


def test_raw_is_fed_with_black_at_0_and_white_at_1(raw: ClipStore):
    method = Raw()
    run(method, raw, dataset="crvd", sigmas=[0], isp=PlainISP())
    (clip,) = raw.split("test")
    expected = (clip.degraded[0][1].astype(np.float64) - BLACK) / (WHITE - BLACK)
    np.testing.assert_allclose(method.fed[1][0][0].transpose(1, 2, 0), expected, atol=1e-7)


def test_raw_and_srgb_stand_beside_each_other(raw: ClipStore):
    isp = PlainISP()
    keep = {"crvd": {"sequence": 0, "frame": 1, "sigma": 0}}
    evaluation = run(Raw(shift=-0.3 / (WHITE - BLACK)), raw, dataset="crvd", sigmas=[0], isp=isp, keep=keep)
    summary = evaluation.summary
    assert (summary["convention"], summary["space"], list(summary["spaces"])) == ("raw", "raw", ["srgb"])
    # A third of a step is rounded away: output and input are 100 steps off.
    expected = 20 * math.log10((WHITE - BLACK) / 100)
    assert summary["sigma"]["0"]["input_psnr"] == pytest.approx(expected, abs=1e-3)
    assert summary["sigma"]["0"]["psnr"] == summary["sigma"]["0"]["input_psnr"]
    (clip,) = raw.split("test")
    unit = [
        (array[1].astype(np.float32) - BLACK) / np.float32(WHITE - BLACK) for array in (clip.frames, *clip.degraded)
    ]
    clean, fed = (isp(np.clip(frame, 0, 1)) for frame in unit)
    row = evaluation.frames[3]
    assert (row.frame, row.space) == (1, "srgb")
    assert row.input_psnr == pytest.approx(-10 * math.log10(np.mean((clean - fed).astype(np.float64) ** 2)), abs=1e-3)
    images = evaluation.examples
    assert {image.shape for image in images.values()} == {(2 * HEIGHT, 2 * WIDTH, 3)}
    np.testing.assert_array_equal(images["scene7_1_clean.png"], np.rint(clean * 255).astype(np.uint8))


def test_raw_without_an_isp_is_a_fault(raw: ClipStore):
    with pytest.raises(ValueError, match="isp: expected one for the raw convention, got none"):
        run(Raw(), raw, dataset="crvd", sigmas=[0])


@pytest.mark.parametrize(
    ("convention", "message"),
    [
        ("raw", "clip a: expected 4 channels, which raw compares, got 3"),
        ("yuv", "convention: expected rgb, rgb8, y, raw, got 'yuv'"),
    ],
)
def test_refuses_a_convention_that_does_not_fit(tmp_path: Path, convention: str, message: str):
    splits = {"test": [("a", frames("a", 1))]}
    write_store(
        tmp_path / "s", dataset="s", source="demo", stand_in=True, splits=splits, details={}, convention=convention
    )
    with pytest.raises(InputError, match=message):
        run(Noisy(), ClipStore(tmp_path / "s"), isp=PlainISP())
