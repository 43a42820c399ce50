"""What a network runs on."""

import fcntl
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import IO

import torch
from torch import nn

from ncfl.common.errors import InputError

DEVICES = ("auto", "cpu", "cuda")
_PROCESSOR = Path("/proc/cpuinfo")
_held: dict[int, IO[str]] = {}  # the claims of this process: they last as long as it does


def pick_device(name: str) -> torch.device:
    """``auto``: a GPU where there is one. A GPU that is asked for and absent is an :class:`InputError`.

    Of several GPUs the process takes one that no other process of this program has (:func:`claim`), so that steps that
    an engine starts side by side each have their own.
    """
    if name not in DEVICES:
        raise InputError(f"device: expected {', '.join(DEVICES)}, got {name!r}")
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    if name == "cuda" and not torch.cuda.is_available():
        raise InputError("device: expected auto or cpu, since PyTorch sees no GPU here, got cuda")
    if name == "cuda" and torch.cuda.device_count() > 1:
        if not _held:
            names = [str(torch.cuda.get_device_properties(n).uuid) for n in range(torch.cuda.device_count())]
            claim(names, Path(tempfile.gettempdir()) / f"ncfl-gpus-{os.getuid()}")
        return torch.device("cuda", next(iter(_held), 0))
    return torch.device(name)


def computes_bfloat16(device: torch.device) -> bool:
    """Whether the device multiplies matrices of bfloat16 by circuits of their own."""
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    try:
        return "amx_bf16" in _PROCESSOR.read_text().split()
    except OSError:  # another system
        return False


def claim(names: Sequence[str], folder: Path) -> int:
    """Take the first device that no living process has taken; 0 where all are taken.

    Args:
        names: of the devices, the same for all processes of this machine however they number them.
        folder: where a file for each device is locked; the system unlocks it when the process ends, however it ends.

    Returns:
        The number of the device, from 0.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    for number, name in enumerate(names):
        file = (folder / name).open("w")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            file.close()
            continue
        _held[number] = file
        return number
    return 0


def place(model: nn.Module, device: torch.device | str, *, channels_last: bool) -> nn.Module:
    """Bring a network to a device, its 2D convolutions in the memory format asked for (3D ones know but the plain)."""
    model.to(device)
    if channels_last:
        for parameter in model.parameters():
            if parameter.dim() == 4:
                parameter.data = parameter.data.contiguous(memory_format=torch.channels_last)
    return model
