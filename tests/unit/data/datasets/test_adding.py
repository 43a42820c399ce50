"""The dataset that the documents add as an example: what is printed there works as it stands."""

import re
import textwrap
from pathlib import Path

import pytest
import yaml

from ncfl.common.errors import InputError
from ncfl.config import params
from ncfl.data.datasets import DATASETS, interface
from ncfl.data.datasets.interface import Dataset, Tree
from ncfl.data.fetch import fetch
from ncfl.data.prepare import prepare
from ncfl.data.sources.demo import DemoSource
from ncfl.data.store import ClipStore

ROOT = Path(__file__).resolve().parents[4]
SECTION = (ROOT / "docs/datasets.md").read_text(encoding="utf-8").split("## Adding a dataset\n")[1]
LISTS = {"train": ["street", "garden"], "test": ["harbor"]}


def block(language: str) -> str:
    (found,) = re.findall(rf"^ *```{language}\n(.*?)^ *```$", SECTION, re.DOTALL | re.MULTILINE)
    return textwrap.dedent(found)


@pytest.fixture
def dataset(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Dataset:
    """The printed module, run with split files as the text describes them."""
    splits = tmp_path / "splits"
    splits.mkdir()
    for split, names in LISTS.items():
        (splits / f"my-rain_{split}.txt").write_text("\n".join(["# made up", *names, ""]))
    monkeypatch.setattr(interface, "SPLITS", splits)
    module: dict = {}
    exec(compile(block("python"), "docs/datasets.md", "exec"), module)
    return module["MY_RAIN"]


def lay(dataset: Dataset, root: Path, frames: int = 11) -> Path:
    for split, clips in LISTS.items():
        for clip in clips:
            for t in range(frames):
                for shot in (None, 0):
                    path = root / dataset.place(split, clip, t, shot)
                    path.parent.mkdir(parents=True, exist_ok=True)
                    path.touch()
    return root


def test_what_place_writes_is_read_back(dataset: Dataset, tmp_path: Path):
    found = dataset.clips(Tree(lay(dataset, tmp_path / "files")), None)
    assert {split: [clip.name for clip in clips] for split, clips in found.items()} == LISTS
    assert found["test"][0].clean == tuple(f"test/harbor/clean/{t:05d}.png" for t in range(11))
    assert found["test"][0].degraded == (tuple(f"test/harbor/rain/{t:05d}.png" for t in range(11)),)


@pytest.mark.parametrize("lost", ["train/garden/rain/00003.png", "test/harbor/clean/00000.png"])
def test_a_missing_frame_is_named(lost: str, dataset: Dataset, tmp_path: Path):
    (lay(dataset, tmp_path / "files") / lost).unlink()
    with pytest.raises(InputError, match=f"My Rain is incomplete: 1 files missing: {lost}$"):
        dataset.clips(Tree(tmp_path / "files"), None)


def test_its_stand_in_is_made_and_read(dataset: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(DATASETS, dataset.name, dataset)
    source = DemoSource(height=32, width=48, train=1, test=1, frames=2)
    fetch("my-rain", source, tmp_path / "raw")
    prepare("my-rain", source, tmp_path / "raw", tmp_path / "store")
    store = ClipStore(tmp_path / "store")
    assert store.manifest["convention"] == "y"
    (clip,) = store.split("test")
    assert clip.degraded[0].astype(int).sum() > clip.frames.astype(int).sum()  # rain is bright


def test_the_printed_parameters_are_valid(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    known = params.published_datasets()
    monkeypatch.setattr(params, "published_datasets", lambda: [*known, "my-rain"])
    merged = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))
    for key, entries in yaml.safe_load(block("yaml")).items():
        merged[key] |= entries
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(merged))
    loaded = params.load(tmp_path / "params.yaml")
    assert loaded.experiments["ncfl-my-rain"].dataset == "my-rain"
    assert loaded.datasets["my-rain"].source == "published"
