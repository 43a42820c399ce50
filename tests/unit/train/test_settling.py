"""Statistics of batch normalization after a training."""

import torch
from helpers.train_samples import Sampler
from torch import Tensor, nn

from ncfl.train.settling import BATCHES, settle_statistics


class Normed(nn.Module):
    """A network that restores clips by a normalization alone."""

    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(3)

    def restore_clip(self, noisy: Tensor, sigma: Tensor) -> Tensor:
        return self.norm(noisy.flatten(0, 1)).unflatten(0, noisy.shape[:2])


def test_statistics_are_the_means_over_batches_that_no_iteration_saw():
    model, sampler = Normed(), Sampler()
    model.norm.running_mean.fill_(7.0)  # what a training left
    assert settle_statistics(model, sampler, first=5) == 1
    assert sampler.asked == list(range(5, 5 + BATCHES))
    frames = [Sampler().batch(i).noisy.transpose(1, 2).transpose(0, 1).flatten(1) for i in sampler.asked]
    means = torch.stack([clip.mean(1) for clip in frames]).mean(0)
    variances = torch.stack([clip.var(1) for clip in frames]).mean(0)
    torch.testing.assert_close(model.norm.running_mean, means, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(model.norm.running_var, variances, rtol=1e-3, atol=1e-5)
    assert model.norm.momentum == 0.1


def test_without_normalization_nothing_is_run():
    sampler = Sampler()
    assert settle_statistics(nn.Conv2d(3, 3, 1), sampler, first=0) == 0
    assert sampler.asked == []
