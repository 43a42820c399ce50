"""AdamW on two parameter groups, the motion estimation and the rest, and the numbers it runs in."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from ncfl.errors import InputError

AUTOCAST = {"float32": None, "bfloat16": torch.bfloat16, "float16": torch.float16}


def adamw(model: nn.Module, *, weight_decay: float, betas: tuple[float, float]) -> torch.optim.AdamW:
    """AdamW over ``model``: group ``rest``, and group ``motion`` where the model has a ``motion`` module.

    Learning rates are set before each iteration by :func:`set_rates`.
    """
    motion = list(model.motion.parameters()) if hasattr(model, "motion") else []
    own = {id(parameter) for parameter in motion}
    groups = [{"name": "rest", "params": [p for p in model.parameters() if id(p) not in own]}]
    if motion:
        groups.append({"name": "motion", "params": motion})
    groups = [group for group in groups if group["params"]]
    return torch.optim.AdamW(groups, lr=0.0, weight_decay=weight_decay, betas=betas, fused=True)


def set_rates(optimizer: torch.optim.Optimizer, rates: Mapping[str, float | None]) -> None:
    """Give each group its learning rate; None freezes it.

    Frozen weights ask for no gradient, so they cost no backward pass, and since they then have none, AdamW
    passes them over: neither weight decay nor momentum moves them.
    """
    for group in optimizer.param_groups:
        rate = rates[group["name"]]
        for parameter in group["params"]:
            parameter.requires_grad_(rate is not None)
        group["lr"] = rate or 0.0


def moments(optimizer: torch.optim.Optimizer) -> dict[int, dict[str, Tensor]]:
    """AdamW's state per parameter, by position; without rates and decays, which the configuration holds."""
    return optimizer.state_dict()["state"]


def restore_moments(optimizer: torch.optim.Optimizer, state: Mapping[int, Mapping[str, Tensor]]) -> None:
    """Take over :func:`moments` of an optimizer over the same parameters.

    The moments get their parameter's memory layout, which the fused kernel takes for granted: in
    channels-last it would else pair up wrong elements, without an error.
    """
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    for position, values in state.items():
        parameter = parameters[position]
        like = {"step": values["step"]}
        optimizer.state[parameter] = {
            name: torch.empty_like(like.get(name, parameter), device=parameter.device).copy_(value)
            for name, value in values.items()
        }


def gradient_norm(model: nn.Module) -> Tensor:
    """The L2 norm of all gradients together, a scalar; it waits for nothing on a GPU."""
    gradients = [p.grad for p in model.parameters() if p.grad is not None]
    return nn.utils.get_total_norm(gradients)


def descend(
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    scaler: torch.amp.GradScaler,
    *,
    norm: Tensor,
    grad_clip: float | None,
) -> None:
    """One optimizer step; gradients whose ``norm`` exceeds ``grad_clip`` are scaled down to it first."""
    if grad_clip is not None:
        nn.utils.clip_grads_with_norm_(model.parameters(), grad_clip, norm)
    scaler.step(optimizer)
    scaler.update()
    optimizer.zero_grad(set_to_none=True)


def pick_device(name: str) -> torch.device:
    """``auto``: a GPU where there is one. A GPU that is asked for and absent is an :class:`InputError`."""
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    if name == "cuda" and not torch.cuda.is_available():
        raise InputError("device: found cuda, but PyTorch sees no GPU here; allowed: auto, cpu")
    return torch.device(name)


def grad_scaler(device: torch.device, precision: str) -> torch.amp.GradScaler:
    """The loss scaling that float16 needs; switched off for the other precisions."""
    return torch.amp.GradScaler(device.type, enabled=precision == "float16")


def autocast(device: torch.device, precision: str) -> Any:
    """The context in which the forward pass runs in ``precision``."""
    dtype = AUTOCAST[precision]
    return torch.autocast(device.type, dtype, enabled=dtype is not None)
