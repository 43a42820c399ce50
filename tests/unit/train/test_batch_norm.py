"""Statistics of batch normalization that come to rest in a training."""

import torch
from helpers.train_samples import Sampler, numbers
from torch import Tensor, nn

from ncfl.train.batch_norm import BATCHES
from ncfl.train.config import two_stages
from ncfl.train.restoration import RestorationTask, restoration_trainer
from ncfl.weights.checkpoint import load

TRAINING = numbers(stages=two_stages(8, 0), settle_at=5, lambda_=0.0)


class Normed(nn.Module):
    """A network that restores clips by a normalization and a convolution."""

    kind = "normed"

    def __init__(self) -> None:
        super().__init__()
        self.arguments = {}
        self.norm, self.conv = nn.BatchNorm2d(3), nn.Conv2d(3, 3, 1)

    def restore_clip(self, noisy: Tensor, sigma: Tensor) -> Tensor:
        return self.conv(self.norm(noisy.flatten(0, 1))).unflatten(0, noisy.shape[:2])

    def supervised(self, length: int) -> range:
        return range(length)


def trained(folder, config=TRAINING):
    torch.manual_seed(0)
    model, sampler = Normed(), Sampler()
    restoration_trainer(
        model=model,
        sampler=sampler,
        config=config,
        stage=config.stages[0],
        initial=None,
        output=folder,
        resume=folder / "resume",
    ).run()
    return model, sampler, load(folder / "checkpoint.pt").state


def test_statistics_are_the_means_over_batches_that_no_iteration_sees(tmp_path):
    model, sampler, state = trained(tmp_path)
    assert not model.norm.training
    assert {number for number in sampler.asked if number >= 8} == set(range(8, 8 + BATCHES))
    frames = [Sampler().batch(number).noisy.transpose(0, 2).flatten(1) for number in range(8, 8 + BATCHES)]
    means = torch.stack([clip.mean(1) for clip in frames]).mean(0)
    variances = torch.stack([clip.var(1) for clip in frames]).mean(0)
    torch.testing.assert_close(state["norm.running_mean"], means, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(state["norm.running_var"], variances, rtol=1e-3, atol=1e-5)


def test_they_run_until_then_and_to_the_end_where_nothing_is_said(tmp_path):
    running = trained(tmp_path, numbers(stages=two_stages(8, 0), lambda_=0.0))[0]
    assert running.norm.training
    assert running.norm.num_batches_tracked == 8
    task = RestorationTask(running, Sampler(), TRAINING, TRAINING.stages[0])
    task.loss(running, **task.inputs(running, task.batch(4), 4))
    assert running.norm.training


def test_a_training_that_goes_on_keeps_what_its_state_has():
    model, sampler = Normed(), Sampler()
    model.norm.running_mean.fill_(0.25)
    task = RestorationTask(model, sampler, TRAINING, TRAINING.stages[0])
    task.loss(model, **task.inputs(model, task.batch(6), 6))
    assert not model.norm.training
    assert sampler.asked == [6]
    assert (model.norm.running_mean == 0.25).all()


def test_from_the_first_iteration_on_they_rest_as_they_are(tmp_path):
    model, sampler, state = trained(tmp_path, numbers(stages=two_stages(8, 0), lambda_=0.0, settle_at=0))
    assert max(sampler.asked) == 7
    assert (state["norm.running_mean"] == 0).all()
    assert (state["norm.running_var"] == 1).all()
    assert not model.norm.training
