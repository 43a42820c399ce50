"""The demo source: a step that needs nothing but its seed, and says that it only stands in."""

import hashlib

import numpy as np
import pytest

from ncfl.data import photographs
from ncfl.data.demo import DemoSource
from ncfl.data.fetch import fetch
from ncfl.data.prepare import prepare
from ncfl.data.store import ClipStore

SMALL = DemoSource(height=48, width=64, train=7, test=5, frames=4, max_motion=3.0)


def run(root, dataset="davis", source=SMALL, seed=0):
    fetch(dataset, source, root / "raw")
    prepare(dataset, source, root / "raw", root / "store", seed)
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
    assert manifest["details"]["seed"] == 3
    assert manifest["details"]["settings"]["max_motion"] == 3.0


def test_train_and_test_use_other_photographs(tmp_path):
    store = run(tmp_path)
    train = {clip.name.rsplit("-", 1)[0] for clip in store.split("train")}
    test = {clip.name.rsplit("-", 1)[0] for clip in store.split("test")}
    assert train == set(photographs.TRAIN_PHOTOGRAPHS)
    assert test == set(photographs.TEST_PHOTOGRAPHS)


def test_index_lists_the_photographs_that_are_used(tmp_path):
    index = fetch("set8", DemoSource(train=0, test=4), tmp_path / "raw")
    assert len(index["files"]) == len(photographs.TEST_PHOTOGRAPHS)
    assert all("/" in file["name"] and not file["name"].startswith("/") for file in index["files"])
    digest = hashlib.sha256(photographs.path("chelsea").read_bytes()).hexdigest()
    assert digest in {file["sha256"] for file in index["files"]}


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

    code = "import sys, ncfl.data.prepare, ncfl.data.scenes; print('torch' in sys.modules, 'av' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False"]
