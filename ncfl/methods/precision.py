"""A network for inference with its weights in bfloat16, where a machine computes faster so."""

import torch
from torch import Tensor, nn

from ncfl.common.errors import InputError
from ncfl.methods.folding import sharing_copy

PRECISIONS = ("auto", "float32", "bfloat16")
_CONVOLUTIONS = (nn.Conv2d, nn.ConvTranspose2d)


def chosen(precision: str, device: torch.device) -> str:
    """``auto``: bfloat16 on a processor with AMX and on a GPU that computes with it, else float32.

    Raises:
        InputError: no such precision.
    """
    if precision not in PRECISIONS:
        raise InputError(f"--precision: expected one of {', '.join(PRECISIONS)}, got {precision!r}")
    if precision != "auto":
        return precision
    from ncfl.common.device import computes_bfloat16  # here alone: what counts operations has no device

    return "bfloat16" if computes_bfloat16(device) else "float32"


def in_bfloat16(network: nn.Module, *, keep: tuple[nn.Module, ...] = ()) -> nn.Module:
    """The network with the weights of its convolutions in bfloat16; it shares all other tensors with ``network``.

    A convolution casts what it is given in float32, such as a frame; what one hands to the next stays as it is. The
    parts named in ``keep`` stay in float32.
    """
    kept = {id(module) for part in keep for module in part.modules()}
    names = {name: id(part) in kept for name, part in network.named_modules() if isinstance(part, _CONVOLUTIONS)}
    lighter = sharing_copy(network)
    for name, stays in names.items():
        convolution = lighter.get_submodule(name)
        for of_it, parameter in list(convolution.named_parameters(recurse=False)):
            if not stays:
                setattr(convolution, of_it, nn.Parameter(parameter.detach().bfloat16(), requires_grad=False))
        convolution.register_forward_pre_hook(_cast)
    return lighter


def _cast(convolution: nn.Module, given: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    x, *others = given
    return (x.to(convolution.weight.dtype), *others)
