"""The names of SPyNet's weights, BasicSR's, MMagic's and others' -> those of the networks here."""

import re
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from ncfl.common.errors import InputError
from ncfl.methods.spynet6.model import per_channel
from ncfl.models.motion import MEAN, STD

_ARRAY = re.compile(r"modelL(\d+)_\w-(\d+)\.(weight|bias)")  # a layer of DVC's and DCVC's


def official_names(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """A published SPyNet alone -> the state of :class:`~ncfl.methods.spynet6.model.SPyNet6`.

    BasicSR's names stay; MMagic counts a level's convolutions without the activations between them;
    sniklaus/pytorch-spynet has ``moduleBasic`` or ``netBasic``, DVC and DCVC arrays called ``modelL1_F-1``. Files lack
    the mean and the standard deviation of the input, which are constants of the network: ImageNet's, but for those
    arrays, whose authors feed frames in [0,1] as they are.
    """
    as_they_are = any(_ARRAY.fullmatch(name) for name in state)
    mean, std = ((0.0,) * 3, (1.0,) * 3) if as_they_are else (MEAN, STD)
    constants = {"mean": per_channel(mean), "std": per_channel(std)}
    return constants | {_plain_name(name): tensor for name, tensor in state.items()}


def _plain_name(name: str) -> str:
    if found := _ARRAY.fullmatch(name):
        return f"basic_module.{int(found[1]) - 1}.basic_module.{2 * int(found[2]) - 2}.{found[3]}"
    return plain_convolutions(re.sub(r"^(module|net)Basic\.(\d+)\.\1Basic\.", r"basic_module.\2.basic_module.", name))


def plain_convolutions(name: str) -> str:
    """MMagic's name of a tensor in a SPyNet level -> BasicSR's, which any other name is already."""
    pattern = r"(basic_module\.\d+\.basic_module)\.(\d+)\.conv\."
    return re.sub(pattern, lambda found: f"{found[1]}.{2 * int(found[2])}.", name)


def project_state(state: Mapping[str, Tensor], *, levels: int, source: Path | str) -> dict[str, Tensor]:
    """A published SPyNet, under any of its names -> the state of :class:`ncfl.models.motion.SPyNet` of ``levels``.

    The levels are the same in both, the coarsest first. The constants are no part of the project's state, which has
    ImageNet's: where they are others, the first convolution of each level takes up the difference, which is exact but
    for the three pixels at a level's border that see padding. A state that has the project's names already stays as it
    is. Shapes are left to the loading.

    Raises:
        InputError: another number of levels, or no mean and standard deviation; ``source`` names the file.
    """
    named = official_names(state)
    mean, std = (_three(named.pop(name), name, source) for name in ("mean", "std"))
    own = {re.sub(r"^basic_module\.(\d+)\.basic_module\.", r"levels.\1.", name): x for name, x in named.items()}
    found = {int(number[1]) for name in own if (number := re.match(r"levels\.(\d+)\.", name))}
    if found and found != set(range(levels)):
        raise InputError(f"{source}: expected a SPyNet of {levels} levels, as motion.levels says, got {len(found)}")
    for level in found:
        _fed_with_imagenet(own, f"levels.{level}.0", mean, std)
    return own


def _three(values: object, name: str, source: Path | str) -> Tensor:
    """A mean or a standard deviation of the three channels that a file has."""
    if not isinstance(values, Tensor) or values.numel() != 3 or (name == "std" and not (values > 0).all()):
        raise InputError(f"{source}: {name} of the frames: expected three numbers{', above 0' * (name == 'std')}")
    return values.flatten()


def _fed_with_imagenet(state: dict[str, Tensor], layer: str, mean: Tensor, std: Tensor) -> None:
    """Make a level's first convolution, which expects (x - mean) / std, expect x normalized by ImageNet's statistics.

    With z = (x - M) / S, (x - mean) / std is z S / std + (M - mean) / std: a factor on the weights of both frames'
    channels, and a constant in the bias.
    """
    weight, bias = state.get(f"{layer}.weight"), state.get(f"{layer}.bias")
    factor, shift = torch.tensor(STD) / std, (torch.tensor(MEAN) - mean) / std
    if ((factor == 1).all() and (shift == 0).all()) or weight is None or bias is None or weight.shape[1:2] != (8,):
        return  # the published constants; or no SPyNet, as the loading will say
    frames = weight[:, :6] * factor.repeat(2).view(1, 6, 1, 1)
    state[f"{layer}.weight"] = torch.cat((frames, weight[:, 6:]), dim=1)
    state[f"{layer}.bias"] = bias + torch.einsum("oihw,i->o", weight[:, :6], shift.repeat(2))
