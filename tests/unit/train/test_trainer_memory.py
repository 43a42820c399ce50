"""What makes a training fit the machine's memory, or says that it does not, and losses that are no numbers."""

import copy

import pytest
import torch
from helpers.train_samples import Sampler, curve, numbers, run, small_ncfl, tiny

from ncfl.common.errors import InputError
from ncfl.train import trainer
from ncfl.train.config import two_stages


@pytest.mark.parametrize("changes", [{"accumulate": 2}, {"checkpoint_activations": True}])
def test_less_memory_gives_the_same_loss_curve(tmp_path, changes):
    network, curves = small_ncfl(), {}
    for name, change in {"whole": {}, "less": changes}.items():
        training = numbers(stages=two_stages(8, 0), freeze_motion=3, lambda_=1e-3, log_every=1, **change)
        run(tmp_path / name, training, model=copy.deepcopy(network), sampler=Sampler(frames=4))
        curves[name] = curve(tmp_path / name)
    for whole, less in zip(curves["whole"], curves["less"], strict=True):
        assert less["loss"] == pytest.approx(whole["loss"], rel=1e-5)
        assert less["bits_per_pixel"] == pytest.approx(whole["bits_per_pixel"], rel=1e-5)
    assert curves["whole"][0]["loss"] != curves["whole"][-1]["loss"]


def test_frames_and_parts_go_through_the_network_as_often_as_stated(tmp_path):
    calls = []

    class Counting(type(tiny())):
        def forward(self, x_t, state=None):
            calls.append(len(x_t))
            return super().forward(x_t, state)

    once = two_stages(1, 0)
    run(tmp_path / "plain", numbers(stages=once), model=Counting())
    assert calls == [2] * 3
    run(tmp_path / "again", numbers(stages=once, checkpoint_activations=True), model=Counting())
    assert calls[3:] == [2] * 6
    run(tmp_path / "parts", numbers(stages=once, accumulate=2), model=Counting())
    assert calls[9:] == [1] * 6


def test_parts_must_be_equal():
    with pytest.raises(InputError, match=r"training.accumulate: expected a divisor of training.batch, 4.*, got 3"):
        numbers(batch=4, accumulate=3)


def test_the_rate_weight_may_rise(tmp_path):
    training = numbers(lambda_=0.5, rate_ramp=4, log_every=1)
    weights = [0.125, 0.25, 0.375, 0.5, 0.5, 0.5]
    assert [training.rate_weight(training.stages[0], i) for i in range(6)] == weights
    assert training.rate_weight(training.stages[1], 7) == 0.0
    run(tmp_path, training)
    found = [(row["loss"] - row["l2"]) / row["bits_per_pixel"] for row in curve(tmp_path)]
    assert found == pytest.approx(weights, rel=1e-2)


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB"),
        RuntimeError("[enforce fail at alloc_cpu.cpp] DefaultCPUAllocator: can't allocate memory: you tried"),
        MemoryError(),
    ],
)
def test_too_little_memory_names_what_to_lower(tmp_path, error):
    class Large(type(tiny())):
        def forward(self, x_t, state=None):
            raise error

    with pytest.raises(InputError) as caught:
        run(tmp_path, model=Large())
    message = str(caught.value)
    for part in ("training.batch: found 2", "3 frames of 16x16", "schedules.<dataset>.patch", "training.accumulate"):
        assert part in message
    assert "\n" not in message


def test_another_error_stays_what_it_is(tmp_path):
    class Wrong(type(tiny())):
        def forward(self, x_t, state=None):
            raise RuntimeError("shapes do not match")

    with pytest.raises(RuntimeError, match="shapes do not match"):
        run(tmp_path, model=Wrong())


def test_a_loss_that_is_no_number_has_no_backward_pass(tmp_path):
    class Unwilling(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x * float("nan")

        @staticmethod
        def backward(ctx, gradient):
            raise AssertionError("must not be asked for")

    class Nan(type(tiny())):
        def forward(self, x_t, state=None):
            step = super().forward(x_t, state)
            return step._replace(y_tilde=Unwilling.apply(step.y_tilde))

    with pytest.raises(trainer.NonFiniteLoss, match=r"iteration 0 .*training.learning_rate \(found 0.01\)"):
        run(tmp_path, model=Nan())


def test_a_learning_rate_beyond_all_sense_ends_in_one_line(tmp_path):
    # PyTorch's grid_sample ends the process where the gradient of a motion that is no number is asked for.
    training = numbers(stages=two_stages(5, 0), freeze_motion=0, learning_rate=1e10, motion_learning_rate=1e10)
    with pytest.raises(trainer.NonFiniteLoss, match=r"training.learning_rate \(found 1e\+10\)"):
        run(tmp_path, training, model=small_ncfl())
