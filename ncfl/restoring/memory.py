"""What a method remembers of the frames before, taken out of it and put back into it."""

from typing import Any

import numpy as np
import torch
from torch import Tensor

from ncfl.common.errors import InputError
from ncfl.methods.interface import Method, Recurrent, Window, step_on


def frames_before(method: Method, since: int) -> int:
    """How many frames before the next one a method must see again to go on as if it had never stopped.

    Args:
        method: a recurrent one needs its memory and no frame; a window its first half; a chunk all chunks that its
            context reaches into, from where one begins.
        since: how many frames of the scene were restored.
    """
    if isinstance(method, Recurrent):
        return 0
    if isinstance(method, Window):
        return method.radius
    return since % method.chunk + -(-method.overlap // method.chunk) * method.chunk


class Memory:
    """A recurrent method, :class:`ncfl.methods.interface.Recurrent`, whose memory can be kept.

    Args:
        method: the method.
    """

    def __init__(self, method: Recurrent) -> None:
        self.name, self.blind, self.channels = method.name, method.blind, method.channels
        self._method = method
        self._state: Any = None
        self._kept: list[Any] | None = None

    def step(self, frame: Tensor, state: Any, sigma: Tensor | None) -> tuple[Tensor, Any]:
        """See :meth:`ncfl.methods.interface.Recurrent.step`; the first one after :meth:`resume` has what was kept."""
        if self._kept is not None:
            # What a memory looks like the method knows: no file says which classes to make.
            like, leaves = self._method.step(frame, None, sigma)[1], iter(self._kept)
            state, self._kept = _filled(like, leaves), None
            if next(leaves, None) is not None:
                raise _other()
        restored, self._state = step_on(self._method, frame, state, sigma)
        return restored, self._state

    def keep(self) -> list[Any]:
        """The memory after the last step: tensors and plain numbers."""
        return [*_leaves(self._state)]

    def resume(self, kept: list[Any]) -> None:
        """Let the next step go on from what :meth:`keep` gave."""
        self._kept = kept

    def forget(self) -> None:
        """Begin anew."""
        self._kept = self._state = None


def _leaves(state: Any) -> list[Any]:
    if isinstance(state, tuple | list):
        return [leaf for part in state for leaf in _leaves(part)]
    if isinstance(state, np.ndarray):
        return [torch.from_numpy(state)]
    if state is None or isinstance(state, Tensor | bool | int | float):
        return [state]
    raise TypeError(f"a method's memory holds a {type(state).__name__}, which cannot be kept")


def _filled(like: Any, leaves: Any) -> Any:
    """A memory of the form of ``like``, with what was kept in it."""
    if isinstance(like, tuple | list):
        parts = [_filled(part, leaves) for part in like]
        return type(like)(*parts) if hasattr(like, "_fields") else type(like)(parts)
    kept = next(leaves, None)
    if isinstance(like, np.ndarray):
        return _fitting(torch.from_numpy(like), kept).numpy()
    return _fitting(like, kept) if isinstance(like, Tensor) else kept


def _fitting(like: Tensor, kept: Any) -> Tensor:
    if not isinstance(kept, Tensor) or kept.shape != like.shape or kept.dtype != like.dtype:
        raise _other()
    return kept.to(like.device)


def _other() -> InputError:
    return InputError(
        "--resume: what was kept of the method's memory is of another method or of frames of another size"
    )
