"""AdamW on two parameter groups, the motion estimation and the rest, and the numbers it runs in."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim.adamw import adamw as fused_adamw

AUTOCAST = {"float32": None, "bfloat16": torch.bfloat16, "float16": torch.float16}


class AdamW:
    """AdamW (Loshchilov and Hutter, 2019): PyTorch's fused kernel, without ``torch.optim.AdamW`` around it.

    That class imports PyTorch's compiler as soon as it is made, which costs every training process 4 s on a CPU.

    Args:
        groups: ``name`` and ``params`` of each parameter group; ``lr`` is set before each iteration.
        weight_decay: decoupled.
        betas: decay rates of the two moments.

    ``state`` holds ``step``, ``exp_avg`` and ``exp_avg_sq`` of each weight that has been updated.
    """

    def __init__(self, groups: list[dict[str, Any]], *, weight_decay: float, betas: tuple[float, float]) -> None:
        self.param_groups = [{**group, "lr": 0.0} for group in groups]
        self.weight_decay, self.betas = weight_decay, betas
        self.state: dict[Tensor, dict[str, Tensor]] = {}

    @property
    def parameters(self) -> list[Tensor]:
        """All weights, in the order of the groups."""
        return [parameter for group in self.param_groups for parameter in group["params"]]

    @torch.no_grad()
    def step(self) -> None:
        """Update every weight that has a gradient."""
        for group in self.param_groups:
            updated = [parameter for parameter in group["params"] if parameter.grad is not None]
            if not updated:
                continue
            for parameter in updated:
                if parameter not in self.state:
                    self.state[parameter] = _at_rest(parameter)
            states = [self.state[parameter] for parameter in updated]
            fused_adamw(
                updated,
                [parameter.grad for parameter in updated],
                [state["exp_avg"] for state in states],
                [state["exp_avg_sq"] for state in states],
                [],
                [state["step"] for state in states],
                fused=True,
                amsgrad=False,
                maximize=False,
                beta1=self.betas[0],
                beta2=self.betas[1],
                lr=group["lr"],
                weight_decay=self.weight_decay,
                eps=1e-8,
            )

    def zero_grad(self) -> None:
        """Forget all gradients; what has none is not updated."""
        for parameter in self.parameters:
            parameter.grad = None


def _at_rest(parameter: Tensor) -> dict[str, Tensor]:
    # The kernel walks through memory, so the moments must lie as the weight does; zeros_like sees to that.
    return {
        "step": torch.zeros((), device=parameter.device),
        "exp_avg": torch.zeros_like(parameter),
        "exp_avg_sq": torch.zeros_like(parameter),
    }


def adamw(model: nn.Module, *, weight_decay: float, betas: tuple[float, float]) -> AdamW:
    """AdamW over ``model``: group ``rest``, and group ``motion`` where the model has a ``motion`` module.

    Learning rates are set before each iteration by :func:`set_rates`.
    """
    motion = list(model.motion.parameters()) if hasattr(model, "motion") else []
    own = {id(parameter) for parameter in motion}
    groups = [
        {"name": "rest", "params": [p for p in model.parameters() if id(p) not in own]},
        {"name": "motion", "params": motion},
    ]
    return AdamW([group for group in groups if group["params"]], weight_decay=weight_decay, betas=betas)


def set_rates(optimizer: AdamW, rates: Mapping[str, float | None]) -> None:
    """Give each group its learning rate; None freezes it.

    Frozen weights ask for no gradient, so they cost no backward pass, and since they then have none, AdamW
    passes them over: neither weight decay nor momentum moves them.
    """
    for group in optimizer.param_groups:
        rate = rates[group["name"]]
        for parameter in group["params"]:
            parameter.requires_grad_(rate is not None)
        group["lr"] = rate or 0.0


def moments(optimizer: AdamW) -> dict[int, dict[str, Tensor]]:
    """AdamW's state per parameter, by position; without rates and decays, which the configuration holds."""
    positions = {id(parameter): position for position, parameter in enumerate(optimizer.parameters)}
    return {positions[id(parameter)]: dict(state) for parameter, state in optimizer.state.items()}


def restore_moments(optimizer: AdamW, state: Mapping[int, Mapping[str, Tensor]]) -> None:
    """Take over :func:`moments` of an optimizer over the same parameters.

    The moments get their parameter's memory layout, which the fused kernel takes for granted: in
    channels-last it would else pair up wrong elements, without an error.
    """
    parameters = optimizer.parameters
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
    optimizer: AdamW,
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
    optimizer.zero_grad()


def grad_scaler(device: torch.device, precision: str) -> torch.amp.GradScaler:
    """The loss scaling that float16 needs; switched off for the other precisions."""
    return torch.amp.GradScaler(device.type, enabled=precision == "float16")


def autocast(device: torch.device, precision: str) -> Any:
    """The context in which the forward pass runs in ``precision``."""
    dtype = AUTOCAST[precision]
    return torch.autocast(device.type, dtype, enabled=dtype is not None)
