"""What drives a learned network over a clip, in the three shapes of :mod:`ncfl.methods.interface`.

A method says which shape it has by its base class, and by :meth:`run` what its network is given.
"""

from abc import ABC, abstractmethod
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from ncfl.common.errors import InputError
from ncfl.methods.folding import folded
from ncfl.methods.interface import Border, Method
from ncfl.models.freed_memory import keep_freed_memory


class Learned:
    """A network on its device, in evaluation.

    Args:
        model: the network; it is moved to ``device`` and set to evaluation.
        name: how tables call it; as its network is called where it is None.
        device: where it runs; frames are brought there and their results taken back.
        channels_last: memory order of the convolutions, faster on most processors; changes results by no more than
            rounding.
        fold: whether a method that knows how runs its network in another form than the published one, for speed: with
            batch normalizations folded into convolutions, say; changes what a network gives by no more than rounding.
            DVDNet cuts frames off to 8 bits between its two networks, which makes more of it: 2e-2 at most, 4e-5 on
            average.

    Attributes:
        model: the network as it was published, and as its weights came.
        running: what computes; ``model`` itself, or a form of it as of :func:`ncfl.methods.folding.folded`.
        for_processor: whether a form that is fast on a processor, with channels last, may run in place of ``model``.
        level: the one noise level, 0..255, that its weights are for; None where they are for several or none is known.
        gray_from: the noise level, 0..255, from which on its weights restore gray frames better as they are than with
            colored noise added (:mod:`ncfl.restoring.gray`); None where they never do, or it was not measured.
    """

    blind: ClassVar[bool] = True

    def __init__(
        self,
        model: nn.Module,
        *,
        name: str | None = None,
        device: str | torch.device = "cpu",
        channels_last: bool = False,
        fold: bool = True,
    ) -> None:
        keep_freed_memory()
        self.name = name or model.kind
        self.device = torch.device(device)
        self.memory_format = torch.channels_last if channels_last else torch.contiguous_format
        self.model = self.placed(model).eval()
        self.running = folded(self.model) if fold else self.model
        self.for_processor = fold and channels_last and self.device.type == "cpu"
        self.channels: int | None = model.arguments["channels"]
        self.level: float | None = None
        self.gray_from: float | None = None

    def placed(self, model: nn.Module) -> nn.Module:
        """The network on the device, in the memory order."""
        return model.to(self.device, memory_format=self.memory_format)


class LearnedRecurrent(Learned, ABC):
    """A causal network: a :class:`ncfl.methods.interface.Recurrent` method."""

    @abstractmethod
    def run(self, frame: Tensor, state: Any, sigma: Tensor | None) -> tuple[Tensor, Any]:
        """The network on a frame [B,C,H,W] that is on its device -> the frame restored, and the next state."""

    def step(self, frame: Tensor, state: Any, sigma: Tensor | None) -> tuple[Tensor, Any]:
        """Restore ``frame`` [B,C,H,W]; see :meth:`ncfl.methods.interface.Recurrent.step`."""
        restored, state = self.run(frame.to(self.device, memory_format=self.memory_format), state, sigma)
        return restored.to(frame.device), state


class LearnedWindow(Learned, ABC):
    """A network for the middle frame of a window: a :class:`ncfl.methods.interface.Window` method."""

    border: Border = "reflect"
    radius: int

    @abstractmethod
    def run(self, frames: Tensor, sigma: Tensor | None) -> Tensor:
        """The network on a window [B,2*radius+1,C,H,W] that is on its device -> the middle frame [B,C,H,W]."""

    def apply(self, frames: Tensor, sigma: Tensor | None) -> Tensor:
        """Restore the middle of ``frames``; see :meth:`ncfl.methods.interface.Window.apply`."""
        return self.run(frames.to(self.device), sigma).to(frames.device)


class Sliding(LearnedWindow):
    """A window network with steps that see fewer frames than a window: the next window takes them over.

    That next window is known by its content, so that nothing of another clip is ever taken.
    """

    def __init__(self, model: nn.Module, **settings: Any) -> None:
        super().__init__(model, **settings)
        self._last: tuple[Tensor, Tensor | None, list[Any]] | None = None

    @abstractmethod
    def slide(self, frames: Tensor, sigma: Tensor | None, known: list[Any]) -> tuple[Tensor, list[Any]]:
        """As :meth:`run`, beside what the steps gave, in order of time.

        known: all but the first of what they gave for the window one frame earlier; empty where that was another one.
        """

    def run(self, frames: Tensor, sigma: Tensor | None) -> Tensor:
        """See :meth:`LearnedWindow.run`."""
        known = self._last[2][1:] if self._follows(frames, sigma) else []
        restored, steps = self.slide(frames, sigma, known)
        self._last = frames, sigma, steps
        return restored

    def _follows(self, frames: Tensor, sigma: Tensor | None) -> bool:
        if self._last is None or self._last[0].shape != frames.shape:
            return False
        before, level, _ = self._last
        same_level = sigma is level is None or (sigma is not None and level is not None and torch.equal(sigma, level))
        return same_level and torch.equal(frames[:, :-1], before[:, 1:])


class LearnedChunk(Learned, ABC):
    """A network for many frames at once: a :class:`ncfl.methods.interface.Chunk` method.

    Args:
        model, settings: as for :class:`Learned`.
        chunk, overlap: frames restored at once, and frames of context on either side; the class says which by default.

    Raises:
        InputError: a chunk or an overlap out of range.
    """

    chunk: int
    overlap: int

    def __init__(
        self, model: nn.Module, *, chunk: int | None = None, overlap: int | None = None, **settings: Any
    ) -> None:
        super().__init__(model, **settings)
        self.chunk = self.chunk if chunk is None else chunk
        self.overlap = self.overlap if overlap is None else overlap
        if self.chunk < 1 or self.overlap < 0:
            found = f"chunk {self.chunk}, overlap {self.overlap}"
            raise InputError(f"{model.kind}: expected a chunk of 1 or more and an overlap of 0 or more, got {found}")

    @abstractmethod
    def run(self, frames: Tensor, sigma: Tensor | None) -> Tensor:
        """The network on frames [B,T,C,H,W] that are on its device -> all of them restored, the same shape."""

    def restore(self, frames: Tensor, sigma: Tensor | None) -> Tensor:
        """Restore ``frames`` [B,T,C,H,W]; see :meth:`ncfl.methods.interface.Chunk.restore`."""
        return self.run(frames.to(self.device), sigma).to(frames.device)


def check_size_kept(model: nn.Module) -> None:
    """Refuses a network for super-resolution: InputError. A restored frame has the size of the input."""
    if model.upscale:
        raise InputError(f"{model.kind}: upscale: expected false, since frames keep their size, got true")


def other_level(method: Method, sigma: float) -> str | None:
    """What to say where a method's weights are for another noise level than ``sigma`` (0..255); None where they fit."""
    level = getattr(method, "level", None)
    return None if level in (None, sigma) else f"the weights of {method.name} are for sigma {level:g} alone"


def unused(method: Method, sigma: float) -> str:
    """Why a method that is not told the noise level does not use ``sigma`` (0..255)."""
    if getattr(method, "level", None) is None:
        return f"{method.name} finds the strength of the noise itself"
    return other_level(method, sigma) or f"the weights of {method.name} are for that level"
