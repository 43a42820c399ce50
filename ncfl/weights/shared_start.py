"""A start that all variants of the network share: one set of modules, of which each takes what it has.

    restoration                                      M_a ... M_f; two U-Nets (W-Net): the second gives back its frame
    mv_refinement.refined, mv_refinement.conv        MVR, M-Conv
    compression.ncfl, compression.conv               NCFL, N-Conv
    attention                                        FA

They were trained together, one variant drawn at each iteration, so that a table compares modules and not how far each
network came from nothing. Motion estimation is not in it: it is a file of its own.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ncfl.common.errors import InputError
from ncfl.models.ncfl import NCFL
from ncfl.weights.eight_bits import decoded
from ncfl.weights.tensorfile import read_tensors

KIND = "ncfl-start-2"  # 2: coded in 8 bits
SIZES = (
    "unet_widths",
    "unet_blocks",
    "feature_width",
    "mv_width",
    "latent_width",
    "prior",
    "attention_widths",
    "attention_blocks",
    "attention_extra_blocks",
)
MADE_BY = "tools/pretrain start"
RGB_OF_BAYER = (0, 1, 2, 1)  # planes R, G, B, G


def adopt_start(model: nn.Module, path: Path) -> bool:
    """Copy the start's modules into ``model``, in place.

    Args:
        model: any variant with a U-Net; RGB or packed Bayer.
        path: the file.

    Returns:
        Whether the network takes a start; the compression alone (section 4.3) has none.

    Raises:
        InputError: a file that is missing, damaged, of another kind or of other sizes.
    """
    if not isinstance(model, NCFL):
        return False
    tensors, sizes = read_start(path)
    for key in SIZES:
        if model.arguments[key] != sizes.get(key):
            raise InputError(
                f"{path}: model.{key}: expected {sizes.get(key)}, as the start has it, got {model.arguments[key]}; "
                "training.start: null trains from nothing"
            )
    arguments = model.arguments
    parts: dict[nn.Module | None, str] = {
        model.mv_refinement: f"mv_refinement.{arguments['mv']}",
        model.compression: f"compression.{arguments['compression']}",
        model.attention: "attention",
    }
    for part, name in parts.items():
        if part is not None and any(True for _ in part.parameters()):
            _load(part, _below(tensors, name), path, name)
    for number, unet in enumerate(model.restoration.unets):
        _load(unet, _below(tensors, "restoration.unets.0"), path, "restoration")
        if number:
            nn.init.zeros_(unet.to_frame.weight)
            nn.init.zeros_(unet.to_frame.bias)
    return True


def read_start(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """The start's tensors in float32, and the sizes of its networks. InputError: missing, damaged, of another kind."""
    path = Path(path)
    if not path.is_file():
        raise InputError(f"{path}: no such file; {MADE_BY} makes it, training.start: null does without")
    tensors, about = read_tensors(path)
    if about.get("kind") != KIND:
        raise InputError(f"{path}: expected a start ({KIND}), got {about.get('kind', 'a file that does not say')}")
    try:
        sizes = json.loads(about["arguments"])
    except (KeyError, ValueError):
        raise InputError(f"{path}: damaged: the sizes of its networks are missing") from None
    return decoded(tensors, path), sizes


def _below(tensors: Mapping[str, Tensor], name: str) -> dict[str, Tensor]:
    return {key[len(name) + 1 :]: tensor for key, tensor in tensors.items() if key.startswith(f"{name}.")}


def _load(module: nn.Module, state: Mapping[str, Tensor], path: Path, name: str) -> None:
    own = module.state_dict()
    if set(own) != set(state):
        raise InputError(f"{path}: {name}: expected {len(own)} tensors, got {len(state)}; another version of the start")
    module.load_state_dict({key: _of_bayer(state[key], value, path, f"{name}.{key}") for key, value in own.items()})


def _of_bayer(found: Tensor, wanted: Tensor, path: Path, name: str) -> Tensor:
    """A tensor for RGB as it is; for four planes, the greens share what was the green's."""
    if found.shape == wanted.shape:
        return found
    planes = torch.tensor(RGB_OF_BAYER)
    if found.dim() == 4 and wanted.shape[1] == found.shape[1] + 1:  # reads a frame: its channels come first
        share = torch.tensor([1.0, 0.5, 1.0, 0.5])[:, None, None]
        found = torch.cat((found[:, planes] * share, found[:, 3:]), dim=1)
    elif wanted.shape[0] == len(planes) and found.shape[0] == 3:  # gives a frame
        found = found[planes]
    if found.shape != wanted.shape:
        raise InputError(f"{path}: {name}: expected {tuple(wanted.shape)}, got {tuple(found.shape)}")
    return found
