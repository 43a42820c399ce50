"""Imported weights: what is kept comes back, and what was not kept so is refused."""

import json
from pathlib import Path

import pytest
import torch
from helpers.weights_samples import same
from safetensors.torch import save_file

from ncfl.common.errors import InputError
from ncfl.methods.fastdvdnet.model import FastDVDNet
from ncfl.weights.imported import FORMAT, load, save
from ncfl.weights.reading import read_weights

ABOUT = {"origin": "https://example.org/model.pth", "sha256": "ab" * 32, "licence": "MIT", "method": "fastdvdnet"}


def test_what_is_kept_comes_back(tmp_path: Path, fast: FastDVDNet):
    save(fast.state_dict(), tmp_path / "new" / "fastdvdnet.safetensors", **ABOUT)
    state, about = load(tmp_path / "new" / "fastdvdnet.safetensors")
    same(state, fast.state_dict())
    assert about == ABOUT
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["fastdvdnet.safetensors"]
    same(read_weights(tmp_path / "new" / "fastdvdnet.safetensors"), fast.state_dict())


def test_tensors_that_share_memory_or_lie_crosswise_are_kept(tmp_path: Path):
    a = torch.arange(6.0).view(2, 3)
    save({"a": a, "b": a, "c": a.t()}, tmp_path / "a.safetensors", **ABOUT)
    same(load(tmp_path / "a.safetensors")[0], {"a": a, "b": a, "c": a.t()})


def test_equal_content_is_equal_bytes(tmp_path: Path):
    files = [tmp_path / f"{i}.safetensors" for i in range(8)]
    for file in files:  # the library's own order of several entries changes from one call to the next
        save({"b": torch.ones(2), "a": torch.zeros(3)}, file, **ABOUT)
    assert len({file.read_bytes() for file in files}) == 1


def test_other_safetensors_are_no_kept_weights(tmp_path: Path):
    file = tmp_path / "a.safetensors"
    for metadata in (None, {"format": "pt"}, {FORMAT: "no json"}, {FORMAT: json.dumps({"origin": 1})}):
        save_file({"a": torch.ones(1)}, file, metadata=metadata)
        with pytest.raises(InputError, match="wrote, got safetensors of another program"):
            load(file)
    with pytest.raises(InputError, match="no such file"):
        load(tmp_path / "b.safetensors")


def test_truncated_kept_weights_are_refused(tmp_path: Path, fast: FastDVDNet):
    file = tmp_path / "a.safetensors"
    save(fast.state_dict(), file, **ABOUT)
    data = file.read_bytes()
    for left in (0, 5, 100, len(data) - 1):
        file.write_bytes(data[:left])
        with pytest.raises(InputError, match="not readable as safetensors") as error:
            load(file)
        assert "\n" not in str(error.value)
