"""The demo source: a step that needs nothing but its seed, and says that it only stands in."""

import hashlib
import json

import cv2
import numpy as np
import pytest

from ncfl.common.errors import InputError
from ncfl.data.datasets import DATASETS
from ncfl.data.fetch import fetch
from ncfl.data.prepare import prepare
from ncfl.data.sources.demo import DemoSource
from ncfl.data.store import ClipStore
from ncfl.data.synthetic import photographs

SMALL = DemoSource(height=48, width=64, train=7, test=5, frames=4, max_motion=3.0)


def run(root, dataset="davis", source=SMALL, seed=0):
    fetch(dataset, source, root / "raw", seed=seed)
    prepare(dataset, source, root / "raw", root / "store")
    return ClipStore(root / "store")


def content(root):
    return {p.relative_to(root).as_posix(): p.read_bytes() for p in sorted(root.rglob("*")) if p.is_file()}


def test_clips_as_asked_for(tmp_path):
    store = run(tmp_path)
    assert len(store.split("train")) == 7
    assert len(store.split("test")) == 5
    for clip in (*store.split("train"), *store.split("test")):
        assert clip.shape == (4, 48, 64, 3)
        assert clip.frames.dtype == np.uint8
        assert clip.frames.std() > 10  # something to see
        assert all(not np.array_equal(clip.frames[t], clip.frames[t + 1]) for t in range(3))
    store.verify()


def test_it_is_a_stand_in_and_says_how_it_was_made(tmp_path):
    manifest = run(tmp_path, seed=3).manifest
    assert manifest["stand_in"] is True
    assert (manifest["dataset"], manifest["source"]) == ("davis", "demo")
    assert manifest["details"]["settings"]["max_motion"] == 3.0
    index = tmp_path / "raw" / "index.json"
    assert json.loads(index.read_text())["seed"] == 3
    assert manifest["details"]["index"] == hashlib.sha256(index.read_bytes()).hexdigest()


def test_train_and_test_use_other_photographs(tmp_path):
    store = run(tmp_path)
    train = {clip.name.rsplit("-", 1)[0] for clip in store.split("train")}
    test = {clip.name.rsplit("-", 1)[0] for clip in store.split("test")}
    assert train == set(photographs.TRAIN_PHOTOGRAPHS)
    assert test == set(photographs.TEST_PHOTOGRAPHS)


def test_index_lists_the_photographs_that_are_used(tmp_path):
    index = fetch("set8", DemoSource(height=48, width=64, train=0, test=4, frames=2), tmp_path / "raw")
    assert len(index["photographs"]) == len(photographs.TEST_PHOTOGRAPHS)
    assert all("/" in file["name"] and not file["name"].startswith("/") for file in index["photographs"])
    digest = hashlib.sha256(photographs.path("chelsea").read_bytes()).hexdigest()
    assert digest in {file["sha256"] for file in index["photographs"]}


# Stand-ins in the layouts of the published datasets


SIZES = {"crvd": {"frames": 7, "train": 2, "test": 2}}
PAIRED = [name for name, dataset in DATASETS.items() if dataset.shots]


def small(dataset, **changes):
    plain = {"height": 64, "width": 80, "train": 2, "test": 2, "frames": 3, "max_motion": 3.0}
    return DemoSource(**(plain | SIZES.get(dataset, {}) | ({"train": 0} if dataset == "set8" else {}) | changes))


@pytest.mark.parametrize("name", DATASETS)
def test_the_files_lie_where_the_published_ones_do(tmp_path, name):
    dataset = DATASETS[name]
    index = fetch(name, small(name), tmp_path / "raw")
    shots = [None, *range(dataset.shots)]
    frames = dataset.frames or 3
    expected = {
        dataset.place(split, clip["name"], t, shot)
        for split, clips in index["clips"].items()
        for clip in clips
        for t in range(frames)
        for shot in shots
    }
    assert {file["name"] for file in index["files"]} == expected
    assert {
        p.relative_to(tmp_path / "raw/demo/files").as_posix()
        for p in (tmp_path / "raw/demo/files").rglob("*")
        if p.is_file()
    } == expected


@pytest.mark.parametrize("name", DATASETS)
def test_the_store_is_what_the_dataset_says(tmp_path, name):
    dataset = DATASETS[name]
    store = run(tmp_path, name, small(name))
    assert store.manifest["convention"] == dataset.convention
    for clip in store.split("test"):
        assert len(clip.degraded or []) == dataset.shots
        if dataset.raw:
            assert (clip.dtype, clip.shape[1:], clip.bayer) == ("uint16", (32, 40, 4), dataset.raw.pattern)
            assert (clip.black, clip.peak) == (dataset.raw.black, dataset.raw.white)
        else:
            assert (clip.dtype, clip.shape[1:], clip.bayer) == ("uint8", (64, 80, 3), None)


@pytest.mark.parametrize("name", PAIRED)
def test_degraded_frames_are_degraded_but_show_the_same(tmp_path, name):
    for clip in run(tmp_path, name, small(name)).split("test"):
        clean, degraded = clip.unit(clip.frames), clip.unit(clip.degraded[0])
        error = np.mean((np.clip(degraded, 0, 1) - clean) ** 2)
        assert 1e-4 < error < 0.12  # 9 to 40 dB
        correlation = np.corrcoef(clean.ravel(), degraded.ravel())[0, 1]
        assert correlation > 0.5


def test_raw_shots_have_noise_of_their_own_around_the_clean_frame(tmp_path):
    clip = run(tmp_path, "crvd", small("crvd")).split("test")[0]
    noise = np.stack([shot.astype(float) - clip.frames for shot in clip.degraded])
    assert noise.std(axis=0).mean() > 20  # steps of the sensor, at ISO 25600
    pairs = [np.corrcoef(noise[a].ravel(), noise[b].ravel())[0, 1] for a in range(3) for b in range(a)]
    assert np.abs(pairs).max() < 0.05  # 7 x 32 x 40 x 4 samples: five standard deviations are 0.03


def test_frames_that_the_layout_does_not_have(tmp_path):
    with pytest.raises(InputError, match="dataset crvd: frames: expected 7, as CRVD has, got 5"):
        fetch("crvd", small("crvd", frames=5), tmp_path / "raw")


def test_more_clips_than_the_layout_has(tmp_path):
    with pytest.raises(InputError, match="NTU-Rain"):
        fetch("ntu-rain", small("ntu-rain", train=9), tmp_path / "raw")


def test_files_that_the_user_has_are_no_use_to_a_stand_in(tmp_path):
    with pytest.raises(InputError, match=r"davis: expected no --from, .* source is demo, .*; set `source: published`"):
        fetch("davis", SMALL, tmp_path / "raw", given=tmp_path)


def test_a_name_that_no_dataset_has(tmp_path):
    with pytest.raises(InputError, match=r"dataset: expected one of davis, set8, crvd, .*, got 'vimeo'"):
        fetch("vimeo", SMALL, tmp_path / "raw")


# What decides the bytes


def test_the_same_bytes_every_time(tmp_path):
    run(tmp_path / "one")
    run(tmp_path / "two")
    assert content(tmp_path / "one") == content(tmp_path / "two")


@pytest.mark.parametrize("change", [{"seed": 1}, {"dataset": "set8"}])
def test_seed_and_dataset_change_every_clip(tmp_path, change):
    one, two = run(tmp_path / "one"), run(tmp_path / "two", **change)
    for a, b in zip(one.split("test"), two.split("test"), strict=True):
        assert not np.array_equal(a.frames, b.frames)


def test_a_clip_does_not_depend_on_how_many_there_are(tmp_path):
    more = DemoSource(height=48, width=64, train=8, test=6, frames=4, max_motion=3.0)
    one, two = run(tmp_path / "one"), run(tmp_path / "two", source=more)
    for a, b in zip(one.split("train"), two.split("train"), strict=False):
        assert np.array_equal(a.frames, b.frames)


def test_a_split_without_clips_is_left_out(tmp_path):
    store = run(tmp_path, source=DemoSource(height=48, width=64, train=0, test=2, frames=3))
    assert [clip["split"] for clip in store.manifest["clips"]] == ["test", "test"]


def test_preparing_does_not_import_torch():
    import subprocess
    import sys

    code = (
        "import sys, ncfl.data.prepare, ncfl.data.synthetic.scenes; print('torch' in sys.modules, 'av' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False"]


def test_every_second_clip_is_calm():
    found = DemoSource(height=48, width=64, train=0, test=8, frames=5, max_motion=6.0).motion("davis", "test", seed=5)
    fastest = [max(np.linalg.norm(found(number, t), axis=-1).max() for t in range(1, 5)) for number in range(8)]
    assert max(fastest[1::2]) <= 1.05 * 1.5
    assert min(fastest[::2]) > max(fastest[1::2])


@pytest.mark.parametrize("name", ["davis", "ntu-rain"])
def test_the_exact_motion_of_a_clip_brings_each_frame_to_the_next(tmp_path, name):
    """Whether the motion is that of these very clips, in their order: the frame before, warped by it, is the frame."""
    source = small(name, test=3, frames=4)
    store = run(tmp_path, dataset=name, source=source, seed=5)
    found = source.motion(name, "test", seed=5)
    for number, clip in enumerate(store.split("test")):
        for t in range(1, 4):
            flow = found(number, t)
            height, width = flow.shape[:2]
            rows, columns = np.mgrid[:height, :width].astype(np.float32)
            warped = cv2.remap(
                clip.frames[t - 1],
                columns + flow[..., 0],
                rows + flow[..., 1],
                cv2.INTER_LINEAR,
                borderMode=cv2.BORDER_REPLICATE,
            )
            still, moved = (
                np.mean(np.abs(frame.astype(float) - clip.frames[t])) for frame in (clip.frames[t - 1], warped)
            )
            # A calm clip moves less than a pixel, and warping blurs.
            assert moved < (0.8 if number % 2 else 0.7) * still, (number, t)
