"""From ``params.yaml`` to the numbers of a training: the paper's by hand, and what an experiment says for itself."""

from pathlib import Path

import pytest

from ncfl.common import device
from ncfl.common.errors import InputError
from ncfl.config.params import Params, validate
from ncfl.config.presets import resolve
from ncfl.config.yaml12 import parse_yaml
from ncfl.train.config import Stage, TrainConfig, numbers
from ncfl.train.settings import flow_training, network_sizes, sigma_of, train_config

ROOT = Path(__file__).resolve().parents[3]


def loaded(preset: str, *settings: str) -> Params:
    return validate(parse_yaml(resolve(preset, settings, folder=ROOT / "presets"), Path("p")), Path("params.yaml"))


def test_the_paper_preset_trains_with_the_papers_numbers():
    """The defaults of TrainConfig are the supplement's; the preset adds a seed and AdamW's own moments."""
    config = train_config(loaded("paper"), "ncfl-davis")
    assert numbers(config) == numbers(TrainConfig(seed=2022))


def test_each_block_gives_its_numbers():
    settings = ("training.clipped=0.25", "training.speeds=[1, 2]", "machine.workers=3", "training.rate_ramp=7")
    config = train_config(loaded("demo", *settings), "lambda-256")
    assert (config.clipped, config.speeds, config.workers, config.rate_ramp) == (0.25, (1, 2), 3, 7)
    assert (config.grad_clip, config.patch, config.lambda_) == (1.0, 48, 1 / 256)
    assert config.stages == (Stage("stage1", 120, rate_term=True), Stage("stage2", 80, rate_term=False))


def test_an_experiment_goes_before_the_rest_and_the_call_before_both():
    params = loaded("demo")
    compared = train_config(params, "fastdvdnet-davis")
    assert (compared.stages, compared.lambda_) == ((Stage("stage1", 400, rate_term=False),), 0.0)
    assert (compared.frames, compared.learning_rate, compared.settle_at) == (5, 2e-3, 130)
    assert train_config(params, "fastdvdnet-davis", frames=7, device="cpu").frames == 7
    clean = train_config(params, "clean-noq")
    assert [stage.rate_term for stage in clean.stages] == [False, False]
    assert [stage.iterations for stage in clean.stages] == [480, 320]
    assert (clean.sigma, sigma_of(params, "clean-noq")) == (0.0, None)
    assert sigma_of(params, "ncfl-davis") == (0, 55)


@pytest.mark.parametrize(("name", "seed"), [("modules-a", 5), ("modules-a-seed0", 0), ("modules-b", 2022)])
def test_a_repetition_is_trained_with_its_own_seed(name, seed):
    params = loaded("demo", "experiments.modules-a.seeds=[5, 0]")
    assert train_config(params, name).seed == seed
    others = {**numbers(train_config(params, name)), "seed": None}
    assert others == {**numbers(train_config(params, "modules-a", lambda_=0.0)), "seed": None}


def test_a_network_takes_the_sizes_of_the_motion_estimation_that_it_has():
    params = loaded("study", "motion.width=0.25")
    motion = {"flow_levels": 4, "flow_width": 0.25}
    assert network_sizes(params, "ncfl-davis").items() >= {**motion, "feature_width": 24, "mv_width": 32}.items()
    of_basicvsrpp = {"width": 48, "blocks": 1, "groups": 2, "tail_width": 16}
    assert network_sizes(params, "basicvsrpp-davis") == {**of_basicvsrpp, **motion}
    assert network_sizes(params, "fastdvdnet-davis") == {"widths": [16, 32, 64], "input_width": 15}


def test_motion_estimation_is_pretrained_with_its_own_block():
    found = flow_training(loaded("paper"))
    assert (found.width, found.iterations, found.batch, found.patch) == (1.0, 100_000, 16, 128)
    assert (found.max_motion, found.sigma, found.seed, found.log_every, found.threads) == (20.0, (0, 55), 2022, 100, 4)


@pytest.mark.parametrize(("able", "chosen"), [(True, "bfloat16"), (False, "float32")])
def test_auto_trains_in_what_the_machine_is_made_for(able: bool, chosen: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(device, "computes_bfloat16", lambda place: able and place.type == "cpu")
    settings = ("training.precision=auto", "machine.device=cpu")
    for name in ("ncfl-davis", "fastdvdnet-davis"):
        auto, said = (train_config(loaded("demo", *s), name) for s in (settings, [f"training.precision={chosen}"]))
        assert (auto.precision, numbers(auto)) == (chosen, numbers(said))


def test_what_is_asked_for_is_not_chosen_again(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(device, "computes_bfloat16", lambda place: True)
    assert train_config(loaded("demo"), "ncfl-davis").precision == "float32"
    with pytest.raises(InputError, match=r"'training\.precision': .* or 'auto', got 'half'"):
        loaded("demo", "training.precision=half")
