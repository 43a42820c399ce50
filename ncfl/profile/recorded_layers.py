"""The layers of a network as it runs, recorded so that they run again with nothing between them."""

import math
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any
from unittest.mock import patch

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

from ncfl.methods import deform

aten = torch.ops.aten
DEFORMABLE = deform.deform_conv
# What also is a layer where it is called as a function: activations, normalization, pooling and shuffling of pixels.
FUNCTIONS = {
    *(aten.relu, aten.relu_, aten.leaky_relu, aten.leaky_relu_, aten._prelu_kernel, aten.elu, aten.elu_),
    *(aten.hardtanh, aten.hardtanh_, aten.sigmoid, aten.sigmoid_, aten.tanh, aten.tanh_, aten._softmax),
    *(aten.native_batch_norm, aten.max_pool2d_with_indices, aten.avg_pool2d, aten._adaptive_avg_pool2d),
    *(aten.pixel_shuffle, aten.pixel_unshuffle),
}


@dataclass(frozen=True)
class Shape:
    """An operand that a layer was called with, without its values."""

    size: tuple[int, ...]
    dtype: torch.dtype

    def view(self, pool: Tensor, *, channels_last: bool) -> Tensor:
        """The beginning of a flat tensor in this shape; channels_last: 2D feature maps in that order of memory."""
        values = pool[: math.prod(self.size)].to(self.dtype)
        if not channels_last or len(self.size) != 4:
            return values.view(self.size)
        batch, channels, height, width = self.size
        return values.view(batch, height, width, channels).permute(0, 3, 1, 2)

    def fits(self, x: Any) -> bool:
        """Whether a tensor has this shape and type."""
        return isinstance(x, Tensor) and x.shape == self.size and x.dtype == self.dtype


@dataclass(frozen=True)
class Call:
    """A layer: what it was called with, weights as they are, its operations (FLOPs), whether it writes on its input."""

    operation: Callable[..., Any]
    operands: tuple[Any, ...]
    flops: int
    in_place: bool = False

    def prepared(self, pool: Tensor, *, channels_last: bool) -> Callable[[Any], Any]:
        """It, ready to be called with what the layer before it gave.

        An activation and its like take that over if it fits, as in a Sequential. All others read the pool, in the
        order of memory that the network's weights have, so that values stay what they are however many layers follow.
        What is written in place is never the pool.
        """
        first, *rest = (x.view(pool, channels_last=channels_last) if isinstance(x, Shape) else x for x in self.operands)
        if self.flops:
            return lambda last: self.operation(first, *rest)
        if self.in_place:
            first = first.clone()
        shape = self.operands[0]
        return lambda last: self.operation(last if shape.fits(last) else first, *rest)


class Layers(TorchDispatchMode):
    """Records the layers of a network: what could stand in a ``nn.Sequential``, in order.

    That is every module of ``torch.nn`` without modules in it that was called with one tensor; and what the network
    calls as functions but PyTorch has as layers too: convolutions, matrix products and :data:`FUNCTIONS`. So it
    is the same whether an activation is written as a module or as a function. Concatenation, addition, products of
    features, resizing, padding (but a layer's own), warping and cost volumes are no layers.

    A deformable convolution takes offsets beside its features, so no Sequential can have it. It is recorded as the
    plain one with its weights, which has the same matrix product: what looking up between pixels costs shows.

    Args:
        model: whose modules are watched, and whose weights are kept with their values.

    Attributes:
        calls: the layers.
        convolutions: convolutions and matrix products alone, which :mod:`ncfl.profile.complexity` counts.
    """

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.calls: list[Call] = []
        self.convolutions: list[Call] = []
        self._model = model
        self._kept = {tensor.untyped_storage().data_ptr() for tensor in (*model.parameters(), *model.buffers())}
        self._paused = False
        self._entered: tuple[int, int] | None = None  # within a module: operations before it, its input's version

    @property
    def flops(self) -> int:
        """Operations of all calls, 2 per multiply-accumulate."""
        return sum(call.flops for call in self.convolutions)

    def record(self, run: Callable[[], Any]) -> None:
        """Run it, without gradients, and keep its calls."""
        with ExitStack() as stack:
            for module in filter(_is_layer, self._model.modules()):
                stack.callback(module.register_forward_pre_hook(self._enter, with_kwargs=True).remove)
                stack.callback(module.register_forward_hook(self._leave, with_kwargs=True).remove)
            stack.enter_context(torch.no_grad())
            stack.enter_context(patch.object(deform, "deform_conv", self._deformable))
            stack.enter_context(self)
            run()

    def _enter(self, module: nn.Module, args: tuple, kwargs: dict) -> None:
        if _one_tensor(args, kwargs):
            self._entered = self.flops, args[0]._version

    def _leave(self, module: nn.Module, args: tuple, kwargs: dict, result: Any) -> None:
        if not _one_tensor(args, kwargs):
            return
        flops, version = self._entered
        self._entered = None
        in_place = args[0]._version != version
        if in_place or result is not args[0]:  # else it does nothing, like dropout
            self.calls.append(Call(module, (self._operand(args[0]),), self.flops - flops, in_place))

    def __torch_dispatch__(self, func: Any, types: Any, args: tuple = (), kwargs: Any = None) -> Any:
        """Called by PyTorch with every operation."""
        result = func(*args, **(kwargs or {}))
        if self._paused:
            return result
        if func._overloadpacket in flop_registry:
            self._keep(func, args, result)
        elif func._overloadpacket in FUNCTIONS and self._entered is None:
            operands = tuple(map(self._operand, args))
            if isinstance(operands[0], Shape):  # not what a weight goes through
                self.calls.append(Call(func, operands, 0, func._schema.is_mutable))
        return result

    def _deformable(
        self, x: Tensor, offset: Tensor, mask: Tensor, weight: Tensor, bias: Tensor, **steps: int
    ) -> Tensor:
        self._paused = True
        try:
            result = DEFORMABLE(x, offset, mask, weight, bias, **steps)
        finally:
            self._paused = False
        stride, padding = ([steps.get(key, 1)] * 2 for key in ("stride", "padding"))
        self._keep(aten.convolution.default, (x, weight, bias, stride, padding, [1, 1], False, [0, 0], 1), result)
        return result

    def _keep(self, func: Any, args: tuple, result: Tensor) -> None:
        flops = flop_registry[func._overloadpacket](*args, out_val=result)
        call = Call(func, tuple(map(self._operand, args)), flops)
        self.convolutions.append(call)
        if self._entered is None:
            self.calls.append(call)

    def _operand(self, x: Any) -> Any:
        if not isinstance(x, Tensor) or x.untyped_storage().data_ptr() in self._kept:
            return x
        return Shape(tuple(x.shape), x.dtype)


def bare(calls: list[Call], device: torch.device, *, channels_last: bool) -> Callable[[], None]:
    """All calls in their order, on values from one pool: memory of the largest operand, not of all of them."""
    sizes = [math.prod(x.size) for call in calls for x in call.operands if isinstance(x, Shape)]
    pool = torch.rand(max(sizes), device=device)
    layers = [call.prepared(pool, channels_last=channels_last) for call in calls]

    def run() -> None:
        last = None
        for layer in layers:
            last = layer(last)

    return run


def _is_layer(module: nn.Module) -> bool:
    return type(module).__module__.startswith("torch.nn.") and not any(module.children())


def _one_tensor(args: tuple, kwargs: dict) -> bool:
    return len(args) == 1 and isinstance(args[0], Tensor) and not kwargs
