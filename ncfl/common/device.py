"""What a network runs on."""

import torch
from torch import nn

from ncfl.common.errors import InputError

DEVICES = ("auto", "cpu", "cuda")


def pick_device(name: str) -> torch.device:
    """``auto``: a GPU where there is one. A GPU that is asked for and absent is an :class:`InputError`."""
    if name not in DEVICES:
        raise InputError(f"device: found {name!r}, allowed: {', '.join(DEVICES)}")
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    if name == "cuda" and not torch.cuda.is_available():
        raise InputError("device: found cuda, but PyTorch sees no GPU here; allowed: auto, cpu")
    return torch.device(name)


def place(model: nn.Module, device: torch.device | str, *, channels_last: bool) -> nn.Module:
    """Bring a network to a device, its 2D convolutions in the memory format asked for (3D ones know but the plain)."""
    model.to(device)
    if channels_last:
        for parameter in model.parameters():
            if parameter.dim() == 4:
                parameter.data = parameter.data.contiguous(memory_format=torch.channels_last)
    return model
