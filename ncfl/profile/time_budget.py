"""How many iterations fit into a time: each part of a recipe is timed for some seconds."""

import time
from collections.abc import Callable, Mapping
from typing import Any

import torch

from ncfl.common.device import pick_device, place
from ncfl.data.footage import Phase
from ncfl.models.motion import SPyNet
from ncfl.models.variants import m_f
from ncfl.profile.measuring import wait
from ncfl.train.losses import clip_loss
from ncfl.train.motion.from_pack import level_by_level
from ncfl.train.optimizer import adamw, autocast, set_rates
from ncfl.train.recipes import Recipe, precision_of

SECONDS = 10.0  # of timing per part
FLOW, STAGE1, STAGE2 = 0.12, 0.18, 0.7  # of the time
RESERVE = 0.92  # of the time is planned for: batches, checkpoints, the examination


def plan_iterations(
    recipe: Recipe, minutes: float, machine: Mapping[str, Any], *, warm: bool, seconds: float = SECONDS
) -> tuple[int, int, int]:
    """Iterations of flow, stage 1 and stage 2 that take ``minutes`` at this moment's speed.

    Args:
        recipe: its sizes and windows.
        minutes: in all.
        machine: ``device`` and ``threads``.
        warm: a warm restart, which is stage 2 alone.
        seconds: of timing per part.
    """
    device, budget = pick_device(machine["device"]), 60 * minutes * RESERVE
    torch.set_num_threads(machine["threads"] or torch.get_num_threads())
    phases = recipe.going_on if warm else recipe.phases
    mean = sum(phase.share * seconds_each(timed_step(recipe, phase, device), device, seconds) for phase in phases)
    if warm:
        return 0, 0, max(1, round(budget / mean))
    flow = seconds_each(_flow_step(recipe, device), device, seconds)
    rates = (FLOW / flow, STAGE1 / mean, STAGE2 / mean)
    first, second, third = (max(1, round(budget * rate)) for rate in rates)
    return first, second, third


def seconds_each(step: Callable[[], None], device: torch.device, seconds: float, warmup: int = 2) -> float:
    """Wall time of ``step``, the mean over ``seconds`` of it."""
    for _ in range(warmup):
        step()
    wait(device)
    began, done = time.monotonic(), 0
    while done == 0 or time.monotonic() - began < seconds:
        step()
        wait(device)
        done += 1
    return (time.monotonic() - began) / done


def timed_step(recipe: Recipe, phase: Phase, device: torch.device, *, rate_weight: float = 0.0) -> Callable[[], None]:
    """One iteration on random frames, with learning rates of zero; rate_weight: lambda, 0 in stage 2."""
    torch.backends.cudnn.benchmark = True  # as a training has it
    model = place(m_f(**recipe.sizes), device, channels_last=True).train()
    optimizer = adamw(model, weight_decay=0.0, betas=(0.9, 0.99))
    set_rates(optimizer, {"rest": 0.0, "motion": 0.0})
    shape = (phase.batch, 3, phase.patch, phase.patch)
    frames = [
        torch.rand(shape, device=device).contiguous(memory_format=torch.channels_last) for _ in range(phase.frames)
    ]

    def step() -> None:
        with autocast(device, precision_of(device)):
            loss = clip_loss(model, frames, frames, rate_weight=rate_weight, motions=model.motions).loss
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()

    return step


def _flow_step(recipe: Recipe, device: torch.device) -> Callable[[], None]:
    # The batch of all levels together stands for the rest, whose iterations cost no more.
    spynet = place(SPyNet(width=recipe.flow["width"]), device, channels_last=True)
    together = level_by_level(recipe.flow["max_motion"]).together
    x = torch.rand(together.batch, 3, together.patch, together.patch, device=device)
    return lambda: spynet(x, x).mean().backward()
