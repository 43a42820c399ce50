"""Stand-ins in the datasets' true layouts: how they are degraded, and what is said of a damaged file."""

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from ncfl.common.errors import InputError
from ncfl.common.files import read_json, write_json
from ncfl.data.datasets import DATASETS
from ncfl.data.datasets.interface import Dataset
from ncfl.data.fetch import fetch
from ncfl.data.prepare import prepare
from ncfl.data.sources.demo import DemoSource
from ncfl.data.sources.framefiles import index_files
from ncfl.data.sources.stand_ins import film
from ncfl.data.synthetic import photographs
from ncfl.data.synthetic.haze import Haze
from ncfl.data.synthetic.rain import STYLES, Rain
from ncfl.data.synthetic.scenes import Scene
from ncfl.media.pictures import encode_picture

PLACES = [
    (name, side) for name, dataset in DATASETS.items() for side in ("clean", "degraded")[: 1 + bool(dataset.shots)]
]
both = pytest.mark.parametrize(("name", "side"), PLACES, ids=lambda value: value)


def source(name: str) -> DemoSource:
    return DemoSource(height=32, width=48, train=0, test=1, frames=DATASETS[name].frames or 3, max_motion=2.0)


def fetched(name: str, root: Path, side: str) -> Path:
    """A frame in the middle of a stand-in's clip."""
    index = fetch(name, source(name), root / "raw")
    clip = index["clips"]["test"][0]
    frames = clip["clean"] if side == "clean" else clip["degraded"][-1]
    return root / "raw/demo/files" / frames[1]


def indexed_again(name: str, root: Path) -> None:
    """As if the damaged files had been fetched so: checksums agree."""
    path = root / "raw/index.json"
    index = read_json(path)
    lists = {split: [clip["name"] for clip in clips] for split, clips in index["clips"].items()}
    write_json(path, index | index_files(DATASETS[name], root / "raw/demo/files", lists))


def refused(name: str, root: Path, path: Path) -> str:
    with pytest.raises(InputError) as refusal:
        prepare(name, source(name), root / "raw", root / "store")
    assert str(path) in str(refusal.value)
    assert not (root / "store/manifest.json").exists()
    return str(refusal.value)


def rewrite(path: Path, data: bytes) -> None:
    path.unlink()  # files may be read-only
    path.write_bytes(data)


@both
def test_a_truncated_file(name: str, side: str, tmp_path: Path):
    path = fetched(name, tmp_path, side)
    data = path.read_bytes()
    rewrite(path, data[: len(data) // 2])
    indexed_again(name, tmp_path)
    refused(name, tmp_path, path)


@both
def test_a_frame_of_another_size(name: str, side: str, tmp_path: Path):
    path = fetched(name, tmp_path, side)
    picture = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    rewrite(path, encode_picture(np.ascontiguousarray(picture[:-2, :-4]), path.name))
    indexed_again(name, tmp_path)
    assert "pixels, as the clip's first frame has, got" in refused(name, tmp_path, path)


@both
def test_a_file_that_is_gone_since_it_was_fetched(name: str, side: str, tmp_path: Path):
    path = fetched(name, tmp_path, side)
    path.unlink()
    refused(name, tmp_path, path)


@both
def test_a_file_that_is_gone_before_it_is_listed(name: str, side: str, tmp_path: Path):
    path = fetched(name, tmp_path, side)
    path.unlink()
    with pytest.raises(InputError, match="is incomplete") as refusal:
        indexed_again(name, tmp_path)
    assert path.relative_to(tmp_path / "raw/demo/files").as_posix() in str(refusal.value)


# What a dataset asks for


def scene(rng: np.random.Generator) -> Scene:
    return Scene(photographs.load(photographs.TEST_PHOTOGRAPHS[:2]), 32, 48, rng, max_motion=2.0, frames=2)


def new(**changes: object) -> Dataset:
    """A dataset that nothing else in the package knows the name of."""
    return replace(DATASETS["revide"], **({"name": "my-own", "size": None} | changes))


@pytest.mark.parametrize("kind", STYLES)
def test_rain_of_the_kind_that_a_dataset_says(kind: str):
    rng, again = np.random.default_rng(3), np.random.default_rng(3)
    frame = film(new(stand_in=kind), "a", scene(rng), rng)
    expected_scene = scene(again)
    rain = Rain(kind, 32, 48, again)
    for t in range(2):
        clean, (rainy,) = frame(t)
        assert np.array_equal(clean, expected_scene.render(t))
        assert np.array_equal(rainy, rain.apply(clean, t))


def test_haze_for_whichever_dataset_says_so():
    rng, again = np.random.default_rng(3), np.random.default_rng(3)
    clean, (hazy,) = film(new(stand_in="haze"), "a", scene(rng), rng)(0)
    expected_scene = scene(again)
    haze = Haze(32, 48, again)
    assert np.array_equal(clean, expected_scene.render(0))
    assert np.array_equal(hazy, haze.apply(clean, expected_scene.labels(0)))


def test_raw_clips_whose_names_say_no_iso():
    rng = np.random.default_rng(3)
    dataset = replace(DATASETS["crvd"], name="my-own", shots=2)
    clean, shots = film(dataset, "kitchen", scene(rng), rng)(0)
    assert (clean.dtype, clean.shape, len(shots)) == (np.uint16, (32, 48), 2)
    assert not np.array_equal(shots[0], shots[1])


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"stand_in": "none"}, "dataset my-own: expected rain or haze, got stand_in 'none' with 1 shots"),
        ({"shots": 0}, "dataset my-own: expected none, got stand_in 'haze' with 0 shots"),
        ({"shots": 2}, "dataset my-own: expected raw, .*, got stand_in 'haze' with 2 shots"),
        (
            {"stand_in": "raw"},
            "dataset my-own: stand_in: expected another than 'raw', since its video is not raw, got 'raw'",
        ),
        ({"raw": DATASETS["crvd"].raw}, "dataset my-own: stand_in: expected 'raw', since its video is raw, got 'haze'"),
        ({"stand_in": "snow"}, "rain: expected rain-light, .*, got 'snow'"),
    ],
)
def test_a_degradation_that_does_not_go_with_the_dataset(changes: dict, said: str):
    rng = np.random.default_rng(0)
    with pytest.raises(InputError, match=said):
        film(new(**changes), "a", scene(rng), rng)


# Published sizes


@pytest.mark.parametrize(
    ("name", "good", "bad", "has"),
    [
        ("set8", (540, 960), (1080, 1920), "540 x 960 pixels, as Set8 has"),
        ("crvd", (1080, 1920), (540, 960), "1080 x 1920 pixels, as CRVD has"),
        ("revide", (1800, 2708), (1800, 2712), "1800 x 2708 pixels, as REVIDE has"),
        ("davis", (480, 910), (1080, 1920), "a height of 480 pixels, as DAVIS-2017 has"),
    ],
)
def test_the_published_size(name: str, good: tuple, bad: tuple, has: str):
    dataset = DATASETS[name]
    dataset.check_size(*good, Path("a.png"))
    reason = "this is another release, whose figures would not compare; get the published one"
    said = rf"^x/a\.png: expected {has}, got {bad[0]} x {bad[1]}: {reason}$"
    with pytest.raises(InputError, match=said):
        dataset.check_size(*bad, Path("x/a.png"))


def test_a_width_alone_or_no_published_size():
    with pytest.raises(InputError, match="expected a width of 7 pixels, as REVIDE has, got 5 x 6"):
        new(size=(None, 7)).check_size(5, 6, Path("a.png"))
    new().check_size(5, 6, Path("a.png"))
