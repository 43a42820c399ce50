"""What a training's run is shown with."""

import contextlib
from pathlib import Path

import pytest

from ncfl.common import device
from ncfl.config.params import validate
from ncfl.config.presets import resolve
from ncfl.config.yaml12 import parse_yaml
from ncfl.steps import training

ROOT = Path(__file__).resolve().parents[3]


@pytest.mark.parametrize(("able", "chosen"), [(True, "bfloat16"), (False, "float32")])
def test_a_run_says_which_precision_auto_became(able: bool, chosen: str, monkeypatch: pytest.MonkeyPatch):
    shown = {}

    @contextlib.contextmanager
    def step(params, name, **given):
        shown.update(given["parameters"])
        yield None

    monkeypatch.setattr(training, "step", step)
    monkeypatch.setattr(device, "computes_bfloat16", lambda place: able)
    document = resolve("demo", ("training.precision=auto", "machine.device=cpu"), folder=ROOT / "presets")
    params = validate(parse_yaml(document, Path("p")), Path("params.yaml"))
    with training.training_step(params, "ncfl-davis", 1, {}):
        pass
    assert shown["training"] == {**params.training.model_dump(), "precision": chosen}
