"""The recipes that ship: their networks can be trained as they say, and the fast one costs a third at most."""

import pytest
import torch

from ncfl.models.variants import m_f
from ncfl.profile.complexity import complexity
from ncfl.release.training_command import RECIPES as OFFERED
from ncfl.train import recipes
from ncfl.train.memory_start import start_memory
from ncfl.weights.checkpoint import load_weights


def test_the_command_offers_what_there_is():
    assert tuple(recipes.RECIPES) == OFFERED


@pytest.mark.parametrize("recipe", recipes.RECIPES.values(), ids=lambda recipe: recipe.name)
def test_the_phases_of_each_schedule_are_the_whole(recipe):
    for phases in (recipe.phases, recipe.going_on, recipe.with_memory):
        assert sum(phase.share for phase in phases) == pytest.approx(1)


@pytest.mark.parametrize("recipe", [recipes.HALF, recipes.FAST], ids=lambda recipe: recipe.name)
def test_a_small_network_can_begin_with_a_memory(recipe):
    torch.manual_seed(0)
    network = m_f(**recipe.sizes)
    kept = start_memory(network, [torch.rand(1, 3, 32, 32)])
    assert all(0 < share <= 1 for share in kept.values())
    step = network(torch.rand(1, 3, 32, 32))
    assert step.state.c_t[:, :3].abs().mean() > 0.01


def test_the_fast_one_takes_a_third_of_the_half_width_one_at_most():
    fast, half = (complexity(m_f(**recipe.sizes)).gflops for recipe in (recipes.FAST, recipes.HALF))
    assert fast < half / 3


def test_the_fast_one_has_the_motion_estimation_of_half_the_width():
    fast, half = (m_f(**recipe.sizes) for recipe in (recipes.FAST, recipes.HALF))
    for level in half.motion.levels:  # zero at the start
        torch.nn.init.normal_(level[-1].weight, std=0.05)
    load_weights(fast.motion, half.motion.state_dict(), "half")
    frames = torch.rand(2, 1, 3, 64, 64)
    small = torch.nn.functional.avg_pool2d(frames.flatten(0, 1), 2)[:, None]
    expected = 2 * torch.nn.functional.interpolate(half.motion(*small), scale_factor=2, mode="bilinear")
    assert expected.abs().mean() > 0.01
    assert torch.equal(fast.estimate_motion(*frames), expected)
