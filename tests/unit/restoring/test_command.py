"""``ncfl restore`` and ``ncfl weights`` as a user meets them: which network, which noise level, what is said."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from helpers.data_samples import pictures
from helpers.footage_samples import UNEVEN, record
from helpers.shipped_samples import TINY, export
from typer.testing import CliRunner, Result

from ncfl.cli.main import app
from ncfl.common.errors import InputError
from ncfl.config import layout
from ncfl.methods.fastdvdnet.model import FastDVDNet
from ncfl.models import variants
from ncfl.steps.listing_weights import list_weights
from ncfl.steps.restoring import estimate, restore
from ncfl.weights import shipped as pretrained
from ncfl.weights.checkpoint import save


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two networks, of which one must be told the noise level."""
    torch.manual_seed(0)
    models = {"small": variants.m_f(**TINY), "told": FastDVDNet(widths=(4, 6, 8), input_width=2)}
    place = export(tmp_path / "pretrained", models, "small")
    monkeypatch.setattr(pretrained, "folder", lambda: place)
    monkeypatch.delenv("NCFL_WEIGHTS", raising=False)
    monkeypatch.chdir(tmp_path)
    return place


@pytest.fixture
def noisy(tmp_path: Path) -> Path:
    """Gray with noise of standard deviation 20."""
    rng = np.random.default_rng(0)
    frames = [np.clip(128 + rng.normal(0, 20, (64, 64, 3)), 0, 255).astype(np.uint8) for _ in range(3)]
    return pictures(tmp_path / "noisy", frames)


def ncfl(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def written(folder: Path) -> list[np.ndarray]:
    return [cv2.imread(str(path)) for path in sorted(folder.glob("*.png"))]


def test_without_options_the_default_weights_restore_blindly(here: Path, noisy: Path, tmp_path: Path):
    done = ncfl("restore", noisy, tmp_path / "out")
    assert done.exit_code == 0, done.output
    assert "weights small: small, for the tests" in done.stderr
    assert "sigma" not in done.stderr
    assert len(written(tmp_path / "out")) == 3


def test_weights_by_name_by_file_and_a_checkpoint_are_one_network(here: Path, noisy: Path, tmp_path: Path):
    model = pretrained.find("small").load()
    save(tmp_path / "checkpoint.pt", model=model, extra={})
    restore(noisy, tmp_path / "a", weights="small")
    restore(noisy, tmp_path / "b", weights=str(here / "small.safetensors"))
    restore(noisy, tmp_path / "c", checkpoint=tmp_path / "checkpoint.pt")
    for other in ("b", "c"):
        assert np.array_equal(written(tmp_path / "a"), written(tmp_path / other))


def test_a_checkpoint_of_a_compared_method_restores_too(here: Path, noisy: Path, tmp_path: Path):
    torch.manual_seed(1)
    save(tmp_path / "theirs.pt", model=FastDVDNet(widths=(4, 6, 8), input_width=2), extra={})
    assert restore(noisy, tmp_path / "out", checkpoint=tmp_path / "theirs.pt", sigma=20)["frames"] == 3


def test_a_network_that_restores_nothing_is_refused(here: Path, noisy: Path, tmp_path: Path):
    from ncfl.models.motion import SPyNet

    save(tmp_path / "flow.pt", model=SPyNet(width=0.125), extra={})
    with pytest.raises(InputError, match=r"flow\.pt: expected a network that restores frames, got a SPyNet"):
        restore(noisy, tmp_path / "out", checkpoint=tmp_path / "flow.pt")


def test_a_method_that_must_be_told_is_told_the_estimate(
    here: Path, noisy: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    restore(noisy, tmp_path / "guessed", weights="told")
    said = capsys.readouterr().err
    assert "told must be told the noise level and --sigma is not given: estimated sigma " in said
    level = estimate(noisy)
    assert level == pytest.approx(20, rel=0.1)
    restore(noisy, tmp_path / "given", weights="told", sigma=level)
    restore(noisy, tmp_path / "wrong", weights="told", sigma=2 * level)
    assert np.array_equal(written(tmp_path / "guessed"), written(tmp_path / "given"))
    assert not np.array_equal(written(tmp_path / "guessed"), written(tmp_path / "wrong"))


def test_the_estimate_alone_goes_to_standard_output(here: Path, noisy: Path):
    done = ncfl("restore", noisy, "--estimate")
    assert done.exit_code == 0
    assert float(done.stdout) == pytest.approx(20, rel=0.1)
    assert "(median of 3 frames)" in done.stderr


def test_what_the_output_cannot_hold_is_said(here: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    restore(record(tmp_path / "a.mp4", times=UNEVEN), tmp_path / "b.y4m", method="noisy")
    said = capsys.readouterr().err.splitlines()
    assert "note: sound (aac) is left out: .y4m does not hold it" in said
    assert any(line.startswith("note: frames come at uneven times: .y4m knows one rate") for line in said)


@pytest.mark.parametrize(
    ("arguments", "found"),
    [
        (["noisy"], "OUTPUT: expected a video file or a folder, got none; name one, or ask for --estimate"),
        (["noisy", "out", "--estimate"], "restore: expected --estimate or OUTPUT, got both (out)"),
        (
            ["noisy", "out", "--weights", "x", "--method", "noisy"],
            "or none of them, got --weights and --method",
        ),
        (
            ["noisy", "out", "--checkpoint", "c.pt", "--method", "noisy"],
            "or none of them, got --checkpoint and --method",
        ),
        (["noisy", "out", "--weights", "x"], "weights: expected small, told"),
        (["noisy", "out", "--method", "x"], "method: expected one of ms-csc, se, fastderain"),
        (["noisy", "out", "--weights", "told", "--sigma", "300"], "sigma: expected 0..255, got 300.0"),
        (["none", "--estimate"], "none: no such file or folder"),
    ],
)
def test_bad_input(here: Path, noisy: Path, arguments: list[str], found: str):
    done = ncfl("restore", *arguments)
    assert isinstance(done.exception, InputError)  # which `ncfl` prints as one line, with exit code 2
    assert found in str(done.exception)
    assert not Path("out").exists()


def test_the_list_of_weights(here: Path):
    (here / "told.safetensors").write_bytes(b"damaged")
    done = ncfl("weights", "--json")
    small, told = json.loads(done.stdout)
    assert small == {
        "name": "small",
        "parameters": sum(p.numel() for p in variants.m_f(**TINY).parameters()),
        "megabytes": round((here / "small.safetensors").stat().st_size / 1e6, 2),
        "default": True,
        "sha256_ok": True,
        "sigma": [0, 55],
        "whiteness_below": None,
        "psnr": {},
        "frames_per_second": None,
        "licence": "MIT",
        "description": "small, for the tests",
    }
    assert (told["name"], told["default"], told["sha256_ok"]) == ("told", False, False)
    assert "told.safetensors: truncated: expected 47840 bytes, got 7" in done.stderr
    table = ncfl("weights").stdout.splitlines()
    assert "parameters" in table[0]
    assert table[0].split()[:3] == ["name", "for", "parameters"]
    assert [line.split()[-1] for line in table if line.startswith(("small ", "told "))] == ["yes", "NO"]


def test_the_list_has_the_cards_figures_of_this_very_file_and_the_speed_when_asked_for(
    here: Path, monkeypatch: pytest.MonkeyPatch
):
    digest = json.loads((here / "index.json").read_text())["weights"]["small"]["sha256"]
    clips = {
        name: {
            "means": {"30": {"small": {"psnr": psnr}}},
            "kinds": {"gray": {"means": {"30": {"small": {"psnr": 20}}}}},
        }
        for name, psnr in (("one", 30.0), ("two", 31.5))
    }
    (here / "small.json").write_text(json.dumps({"sha256": digest, "clips": clips}))
    (here / "told.json").write_text(json.dumps({"sha256": "another file's", "clips": clips}))
    monkeypatch.setattr("ncfl.steps.listing_weights.HEIGHT", 48)
    monkeypatch.setattr("ncfl.steps.listing_weights.WIDTH", 64)
    small, told = json.loads(ncfl("weights", "--json", "--speed", "--threads", "1").stdout)
    assert (small["psnr"], told["psnr"]) == ({"unclipped": 30.75, "gray": 20.0}, {})
    assert small["frames_per_second"] > 0
    told_digest = json.loads((here / "index.json").read_text())["weights"]["told"]["sha256"]
    of_one = {"one": {"means": {"30": {"told": {"psnr": 29.0}}}}}
    (here / "told.json").write_text(json.dumps({"sha256": told_digest, "clips": of_one}))
    small, told = json.loads(ncfl("weights", "--json").stdout)  # on the one clip that both were measured on
    assert (small["psnr"]["unclipped"], told["psnr"]) == (30.0, {"unclipped": 29.0})
    (here / "small.json").write_text("[]")
    with pytest.raises(InputError, match=r"small.json: expected a model card's figures, got a list"):
        list_weights()


def test_no_weights_is_one_line(here: Path, noisy: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(pretrained, "folder", lambda: None)
    for act in (list_weights, lambda: restore(noisy, Path("out"))):
        with pytest.raises(InputError, match="weights: no weights come with this copy") as error:
            act()
        assert "\n" not in str(error.value)


def trained(experiment: str) -> Path:
    """A tiny derainer where the training of an experiment leaves its network."""
    from ncfl.methods.networks import build

    path = layout.checkpoint(experiment, 1)
    save(path, model=build("fcrvd", {"width": 4, "blocks": 1, "flow_width": 0.125}), extra={})
    return path


def test_a_method_without_official_weights_uses_its_own_training(here: Path, noisy: Path, tmp_path: Path):
    path = trained("fcrvd-ntu-rain")
    done = ncfl("restore", noisy, tmp_path / "out", "--method", "fcrvd")
    assert done.exit_code == 0, done.output
    assert f"method fcrvd: as {path} has it" in done.stderr
    assert ncfl("restore", noisy, tmp_path / "same", "--checkpoint", path).exit_code == 0
    for one, other in zip(written(tmp_path / "out"), written(tmp_path / "same"), strict=True):
        assert np.array_equal(one, other)


def test_a_method_that_was_trained_nowhere_or_twice_is_not_guessed(here: Path, noisy: Path, tmp_path: Path):
    with pytest.raises(InputError, match="no trained network is here; train an experiment `fcrvd-<dataset>`"):
        restore(noisy, tmp_path / "out", method="fcrvd")
    for experiment in ("fcrvd-ntu-rain", "fcrvd-rainsynlight25"):
        trained(experiment)
    with pytest.raises(InputError, match=r"one trained network, got .*fcrvd-ntu-rain.*fcrvd-rain.*--checkpoint"):
        restore(noisy, tmp_path / "out", method="fcrvd")


def test_a_method_with_official_weights_that_were_not_imported_says_so(here: Path, noisy: Path, tmp_path: Path):
    with pytest.raises(InputError, match="import-weights fastdvdnet"):
        restore(noisy, tmp_path / "out", method="fastdvdnet")
