"""Every published dataset comes from a server as its stand-in was packed."""

from dataclasses import replace
from functools import partial

import numpy as np
import pytest
from helpers.http_server import HttpServer

from ncfl.data.datasets import DATASETS
from ncfl.data.fetch import fetch
from ncfl.data.prepare import prepare
from ncfl.data.sources.demo import DemoSource
from ncfl.data.sources.framefiles import index_files
from ncfl.data.sources.published import PublishedSource
from ncfl.data.store import ClipStore
from ncfl.data.transport.source_table import archives

SOURCE = PublishedSource()


@pytest.fixture(autouse=True)
def tiny_frames(monkeypatch):
    """Frames here are smaller than any that was published."""
    monkeypatch.setattr("ncfl.data.datasets.interface.Dataset.check_size", lambda *arguments: None)


def stand_in(dataset):
    sizes = {"height": 64, "width": 80, "train": 0 if dataset == "set8" else 2, "test": 2, "frames": 3}
    return DemoSource(**sizes | ({"frames": 7} if dataset == "crvd" else {}), max_motion=3.0)


@pytest.mark.parametrize("name", DATASETS)
def test_every_dataset_comes_from_a_server_as_its_stand_in_was_packed(tmp_path, monkeypatch, name):
    demo = fetch(name, stand_in(name), tmp_path / "demo")
    prepare(name, stand_in(name), tmp_path / "demo", tmp_path / "expected")
    lists = {split: [clip["name"] for clip in clips] for split, clips in demo["clips"].items()}
    with HttpServer() as server:
        archive = tmp_path / f"demo/demo/archives/{name}.zip"
        address = server.serve("/a.zip", archive.read_bytes())
        row = replace(archives(name)[0], file="a.zip", address=address, mirror=None, sha256=None, bytes=None)
        monkeypatch.setattr("ncfl.data.sources.published.archives", lambda dataset: [row])
        monkeypatch.setattr("ncfl.data.sources.published.index_files", partial(index_files, lists=lists))
        index = fetch(name, SOURCE, tmp_path / "raw")
    assert index["archives"][0]["sha256"] == demo["archives"][0]["sha256"]
    prepare(name, SOURCE, tmp_path / "raw", tmp_path / "store")
    found, expected = ClipStore(tmp_path / "store"), ClipStore(tmp_path / "expected")
    for split in lists:
        pairs = list(zip(found.split(split), expected.split(split), strict=True))
        assert [(a.name, a.shape, a.dtype) for a, _ in pairs] == [(b.name, b.shape, b.dtype) for _, b in pairs]
        for one, other in pairs:
            assert np.array_equal(one.frames, other.frames)
            assert len(one.degraded or []) == len(other.degraded or []) == DATASETS[name].shots
            for a, b in zip(one.degraded or [], other.degraded or [], strict=True):
                assert np.array_equal(a, b)
