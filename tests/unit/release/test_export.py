"""Weights that ship, from a checkpoint: what is written is what ``--weights`` loads, and nothing unfit is written."""

import hashlib
import json
from pathlib import Path

import pytest
import torch
from helpers.shipped_samples import TINY
from safetensors import safe_open
from safetensors.torch import load_file

from ncfl.common.errors import InputError
from ncfl.models import variants
from ncfl.release.command import main
from ncfl.release.export import export, halved, rounding_difference
from ncfl.weights import checkpoint
from ncfl.weights import shipped as pretrained

TEXTS = {"description": "tiny, for the tests", "licence": "MIT"}


def trained(path: Path, seed: int = 0) -> Path:
    """A network with other weights than a training begins with: the last layer's zeros make that one the identity."""
    torch.manual_seed(seed)
    model = variants.m_f(**TINY)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.05 * torch.randn_like(parameter))
    checkpoint.save(path, model=model, extra={})
    return path


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return trained(tmp_path / "checkpoint.pt")


def exported(source: Path, folder: Path, name: str = "tiny", **changes: object):
    return export(**{"checkpoint": source, "name": name, "folder": folder, "sigma": [0, 55], **TEXTS} | changes)


def test_what_is_loaded_is_the_rounded_weights_exactly(source: Path, tmp_path: Path):
    done = exported(source, tmp_path / "w")
    model = pretrained.find(str(done.path)).load()
    exact = checkpoint.load(source).state
    assert set(model.state_dict()) == set(exact)
    for name, value in model.state_dict().items():
        assert value.dtype == exact[name].dtype
        torch.testing.assert_close(value, exact[name].half().to(value.dtype), rtol=0, atol=0)
    assert any((value != exact[name]).any() for name, value in model.state_dict().items())
    assert model.kind == "ncfl"
    assert not model.training


def test_the_index_describes_the_file(source: Path, tmp_path: Path):
    done = exported(source, tmp_path / "w")
    content = json.loads((tmp_path / "w" / "index.json").read_text())
    entry, data = content["weights"]["tiny"], done.path.read_bytes()
    assert content["default"] == "tiny"
    assert (
        (entry["bytes"], entry["sha256"]) == (len(data), hashlib.sha256(data).hexdigest()) == (done.bytes, done.sha256)
    )
    assert entry["arguments"]["unet_widths"] == [4, 6, 8, 10, 12]
    assert entry["sigma"] == [0, 55]
    assert {entry[key] for key in TEXTS} == set(TEXTS.values())
    assert done.parameters == sum(p.numel() for p in variants.m_f(**TINY).parameters())


def test_the_library_reads_it_and_its_metadata(source: Path, tmp_path: Path):
    done = exported(source, tmp_path / "w")
    assert set(load_file(done.path)) == set(checkpoint.load(source).state)
    with safe_open(done.path, framework="pt") as file:
        about = file.metadata()
    assert about["kind"] == "ncfl"
    assert json.loads(about["arguments"])["mv_width"] == 4
    assert about["licence"] == "MIT"


def test_equal_weights_give_equal_bytes(source: Path, tmp_path: Path):
    assert len({exported(source, tmp_path / str(i)).sha256 for i in range(5)}) == 1


def test_other_entries_stay_and_a_default_is_told(source: Path, tmp_path: Path):
    folder = tmp_path / "w"
    exported(source, folder, "first")
    exported(trained(tmp_path / "other.pt", 1), folder, "second")
    assert [w.name for w in pretrained.shipped(folder).values() if w.default] == ["first"]
    exported(source, folder, "third", default=True)
    exported(source, folder, "second")
    known = pretrained.shipped(folder)
    assert set(known) == {"first", "second", "third"}
    assert [w.name for w in known.values() if w.default] == ["third"]
    for weights in known.values():
        weights.check()


def test_rounding_is_measured_on_an_output(source: Path):
    model = checkpoint.load_model(source)
    state = {name: value.clone() for name, value in model.state_dict().items()}
    assert rounding_difference(model, state) == 0
    difference = rounding_difference(model, halved(state))
    assert 0 < difference < 0.1


@pytest.mark.parametrize(
    ("value", "found"),
    [
        (float("nan"), "expected finite values, got others"),
        (float("inf"), "expected finite values, got others"),
        (65520.0, "expected at most 65504 .half precision., got 65520"),
    ],
)
def test_values_that_half_precision_cannot_hold_are_refused(value: float, found: str, tmp_path: Path):
    model = variants.m_f(**TINY)
    with torch.no_grad():
        next(model.parameters()).view(-1)[0] = value
    checkpoint.save(tmp_path / "bad.pt", model=model, extra={})
    with pytest.raises(InputError, match=found):
        exported(tmp_path / "bad.pt", tmp_path / "w")
    assert not (tmp_path / "w").exists()


def test_the_largest_number_of_half_precision_is_kept():
    torch.testing.assert_close(
        halved({"a": torch.tensor([65504.0, -65504.0])})["a"].float(), torch.tensor([65504.0, -65504])
    )
    assert halved({"n": torch.tensor([7], dtype=torch.int64)})["n"].dtype == torch.int64


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        ({"largest": 1000}, "expected at most 1000 bytes"),
        ({"name": "../up"}, "name: expected .*, got"),
        ({"name": "A"}, "name: expected .*, got"),
        ({"name": "a.safetensors"}, "name: expected .*, got"),
        ({"sigma": [55, 0]}, "sigma: expected .*, got"),
        ({"sigma": [0, 300]}, "sigma: expected .*, got"),
        ({"sigma": [0]}, "sigma: expected .*, got"),
        ({"description": " "}, "description: expected .*, got"),
        ({"licence": "a\nb"}, "licence: expected .*, got"),
        ({"gray_from": 256.0}, "^gray_from: expected a noise level in 0..255, or none, got 256.0$"),
        ({"whiteness_below": 0.0}, "^whiteness_below: expected a number above 0, up to 2, or none, got 0.0$"),
        ({"checkpoint": Path("missing.pt")}, "missing.pt: no such file"),
    ],
)
def test_refusals_write_nothing(source: Path, tmp_path: Path, changes: dict, found: str):
    with pytest.raises(InputError, match=found):
        exported(source, tmp_path / "w", **changes)
    assert not (tmp_path / "w").exists()


@pytest.mark.parametrize("text", ["{", "[]", '{"default": "x", "weights": {}}', '{"weights": 3}'])
def test_a_damaged_index_is_left_alone(source: Path, tmp_path: Path, text: str):
    (tmp_path / "w").mkdir()
    (tmp_path / "w" / "index.json").write_text(text)
    with pytest.raises(InputError, match=r"index\.json"):
        exported(source, tmp_path / "w")
    assert [path.name for path in (tmp_path / "w").iterdir()] == ["index.json"]


def test_the_command_says_what_it_did(source: Path, tmp_path: Path, capsys: pytest.CaptureFixture):
    words = ["export", str(source), "tiny", "--description", "d", "--licence", "MIT", "--folder", str(tmp_path / "w")]
    assert main([*words, "--sigma", "0", "55"]) == 0
    assert "rounding changes an output by at most" in capsys.readouterr().out
    assert main([*words, "--sigma", "9", "5"]) == 2
    assert capsys.readouterr().err.startswith("pretrain: sigma: expected two levels in 0..255, the least first, got ")
