"""The schedule: learning rates against their closed form, the paper's numbers, and refusals."""

import dataclasses

import numpy as np
import pytest

from ncfl.common.errors import InputError
from ncfl.train.config import Stage, TrainConfig, cosine, numbers, two_stages


def test_defaults_are_the_papers_numbers():
    training = TrainConfig()
    assert [(s.name, s.iterations, s.rate_term) for s in training.stages] == [
        ("stage1", 50_000, True),
        ("stage2", 50_000, False),
    ]
    assert training.learning_rate == 2e-4
    assert training.motion_learning_rate == 2.5e-5
    assert training.freeze_motion == 2500
    assert (training.batch, training.frames, training.patch) == (16, 5, 128)
    assert training.lambda_ == 1 / 2048


def test_cosine_by_hand():
    # cos(pi/3) = 1/2, so a third of the way leaves (1 + 1/2) / 2 = 3/4 of the range.
    assert cosine(1.0, 0.0, 0, 6) == 1.0
    assert cosine(1.0, 0.0, 2, 6) == pytest.approx(0.75, rel=1e-15)
    assert cosine(1.0, 0.2, 3, 6) == pytest.approx(0.6, rel=1e-15)
    assert cosine(1.0, 0.2, 6, 6) == pytest.approx(0.2, rel=1e-15)


def test_whole_cosine_runs_through_both_stages():
    training = TrainConfig(stages=two_stages(30, 70), minimum_learning_rate=1e-6, freeze_motion=10)
    rates = [training.rates(i) for i in range(100)]
    fall = (1 + np.cos(np.pi * np.arange(100) / 100)) / 2
    np.testing.assert_allclose([r["rest"] for r in rates], 1e-6 + (2e-4 - 1e-6) * fall, rtol=1e-12)
    assert [r["motion"] for r in rates[:10]] == [None] * 10
    np.testing.assert_allclose([r["motion"] for r in rates[10:]], 1e-6 + (2.5e-5 - 1e-6) * fall[10:], rtol=1e-12)


def test_cosine_per_stage_starts_again():
    training = TrainConfig(stages=two_stages(30, 70), cosine="per-stage", freeze_motion=0)
    rest = np.array([training.rates(i)["rest"] for i in range(100)])
    np.testing.assert_allclose(rest[:30], 1e-4 * (1 + np.cos(np.pi * np.arange(30) / 30)), rtol=1e-12)
    np.testing.assert_allclose(rest[30:], 1e-4 * (1 + np.cos(np.pi * np.arange(70) / 70)), rtol=1e-12)


def test_warm_up_rises_linearly_over_both_groups():
    training = TrainConfig(stages=two_stages(30, 70), warmup=20, freeze_motion=10)
    fall = (1 + np.cos(np.pi * np.arange(100) / 100)) / 2
    rise = np.minimum(1, np.arange(1, 101) / 20)
    rates = [training.rates(i) for i in range(100)]
    np.testing.assert_allclose([r["rest"] for r in rates], 2e-4 * rise * fall, rtol=1e-12)
    np.testing.assert_allclose([r["motion"] for r in rates[10:]], (2.5e-5 * rise * fall)[10:], rtol=1e-12)


def test_first_iteration_counts_the_stages_before():
    training = TrainConfig(stages=(Stage("a", 3, True), Stage("b", 4, False), Stage("c", 5, False)))
    assert [training.first_iteration(stage) for stage in training.stages] == [0, 3, 7]
    assert training.iterations == 12


def test_numbers_leave_the_machine_out():
    here = TrainConfig(device="cpu", workers=0, threads=1, compile=True, channels_last=True, checkpoint_seconds=1.0)
    assert numbers(here) == numbers(TrainConfig())
    assert numbers(TrainConfig(precision="bfloat16")) != numbers(TrainConfig())
    assert numbers(here)["stages"][0] == {"name": "stage1", "iterations": 50_000, "rate_term": True}


def test_lists_become_tuples():
    training = TrainConfig(betas=[0.8, 0.9], sigma=[10, 20], stages=list(two_stages(1, 1)))
    assert (training.betas, training.sigma) == ((0.8, 0.9), (10, 20))
    assert hash(training) == hash(dataclasses.replace(training))


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("learning_rate", 0.0),
        ("learning_rate", float("nan")),
        ("learning_rate", float("inf")),
        ("learning_rate", "2e-4"),
        ("motion_learning_rate", -1e-5),
        ("minimum_learning_rate", 1e-4),
        ("lambda_", -1.0),
        ("warmup", -1),
        ("freeze_motion", -1),
        ("freeze_motion", 2.5),
        ("batch", 0),
        ("batch", True),
        ("frames", 0),
        ("patch", 15),
        ("betas", (0.9,)),
        ("betas", (0.9, 1.0)),
        ("sigma", (30, 20)),
        ("sigma", (0, 256)),
        ("sigma", -1),
        ("grad_clip", 0),
        ("cosine", "half"),
        ("precision", "float64"),
        ("device", "tpu"),
        ("compile", 1),
        ("workers", -1),
        ("checkpoint_seconds", -1),
        ("log_every", 0),
        ("stages", ()),
        ("stages", (Stage("a", 0, True),)),
        ("stages", (Stage("a", 1, True), Stage("a", 1, True))),
        ("stages", ("stage1",)),
    ],
)
def test_refuses_a_number_outside_its_range(field, value):
    with pytest.raises(InputError, match=rf"training\.{field}: expected .*, got "):
        TrainConfig(**{field: value})


def test_refuses_a_stage_outside_its_range():
    with pytest.raises(InputError, match=r"stage1\.iterations: expected an integer from 0 up, got -1"):
        Stage("stage1", -1, True)
    with pytest.raises(InputError, match=r"stage1\.rate_term: expected true or false, got 'yes'"):
        Stage("stage1", 1, "yes")
