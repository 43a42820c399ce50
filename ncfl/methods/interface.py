"""What a method is, and the one adapter that drives it over a stream of frames.

Three shapes cover the methods here. A *recurrent* method is causal: it takes a frame and a state, and gives
the restored frame and the next state. A *window* method restores the middle one of an odd number of frames. A
*chunk* method looks through the clip in both directions: it takes many frames at once and restores them all.
:func:`stream` drives each: one frame out per frame in, in order, in memory that does not grow with the
length.

A clip's ends give a window method fewer neighbors than it wants. They are filled by reflection in time
without repeating the end frame (frame 0 of a window of five sees 2 1 0 1 2), as FastDVDNet's public
evaluation does; a method published with repeated end frames (EDVR on degraded input) says
``border = "replicate"``. A clip shorter than the window is reflected as often as it takes; a single frame is
its own neighbor.

A chunk method has no end to fill: it starts and stops where the clip does. A clip of up to ``chunk`` frames is
restored whole, as such methods were published. A longer one is cut into chunks, each restored together with
``overlap`` frames of the clip on either side, whose restored forms are thrown away.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Literal, Protocol, runtime_checkable

import torch
from torch import Tensor

Border = Literal["reflect", "replicate"]


class Described(Protocol):
    """What every method says of itself.

    Attributes:
        name: how tables and commands call it.
        blind: whether it works without being told the noise level.
        channels: how many channels a frame must have (3 = RGB, 4 = packed Bayer), or None where any will do.
    """

    name: str
    blind: bool
    channels: int | None


@runtime_checkable
class Recurrent(Described, Protocol):
    """A causal method: state in, frame in -> frame out, state out."""

    def step(self, frame: Tensor, state: Any, sigma: Tensor | None) -> tuple[Tensor, Any]:
        """Restore one frame.

        Args:
            frame: float32 [B,C,H,W], nominally in [0,1]; noise may take it outside, nothing is clipped.
            state: what the call for the previous frame returned; None for a clip's first frame.
            sigma: noise level per clip of the batch, float32 [B], in 0..255; None where it is unknown.

        Returns:
            The restored frame, float32 [B,C,H,W], not clipped either, and the next state.
        """
        ...


@runtime_checkable
class Spending(Recurrent, Protocol):
    """A recurrent method that needs less memory where the state before is not wanted again."""

    def step_on(self, frame: Tensor, state: Any, sigma: Tensor | None) -> tuple[Tensor, Any]:
        """As :meth:`Recurrent.step`, but the state that it is given is used up."""
        ...


def step_on(method: Recurrent, frame: Tensor, state: Any, sigma: Tensor | None) -> tuple[Tensor, Any]:
    """As :meth:`Recurrent.step`, where the state is not wanted again: a method that can spend it does."""
    return (method.step_on if isinstance(method, Spending) else method.step)(frame, state, sigma)


@runtime_checkable
class Window(Described, Protocol):
    """A method that restores the middle frame of a window of ``2 * radius + 1`` frames."""

    radius: int
    border: Border

    def apply(self, frames: Tensor, sigma: Tensor | None) -> Tensor:
        """Restore the middle of ``frames``: [B,2*radius+1,C,H,W] -> [B,C,H,W]; the rest as in Recurrent."""
        ...


@runtime_checkable
class Chunk(Described, Protocol):
    """A method that restores many frames at once, from past and future.

    Attributes:
        chunk: how many frames one call gives, at least 1; the last call of a clip may give fewer.
        overlap: how many frames of context it gets before and after these, at least 0, as far as the clip has them.
    """

    chunk: int
    overlap: int

    def restore(self, frames: Tensor, sigma: Tensor | None) -> Tensor:
        """Restore all of ``frames``: [B,T,C,H,W] -> [B,T,C,H,W] with 1 <= T; the rest as in Recurrent."""
        ...


Method = Recurrent | Window | Chunk


def stream(
    method: Method, frames: Iterable[Tensor], sigma: float | Sequence[float] | Tensor | None = None
) -> Iterator[Tensor]:
    """Restore a clip frame by frame: exactly one output per input, in order.

    Args:
        method: any method; a window method gives its first frame after ``radius`` more have been read, a chunk
            method ``chunk`` frames together after ``overlap`` more.
        frames: float32 [B,C,H,W] each, one clip per element of the batch.
        sigma: noise level in 0..255, one number for all or one per clip of the batch; None where unknown.

    Yields:
        The restored frames, float32 [B,C,H,W], on the device of the input, not clipped.

    Raises:
        TypeError: the method has none of the three shapes.
        ValueError: it needs sigma and there is none; a frame is not [B,C,H,W] with C as it wants.
        FloatingPointError: it gave a frame with NaN or infinite values, which clamping would hide.
    """
    drive = next((drive for shape, drive in _DRIVES.items() if isinstance(method, shape)), None)
    if drive is None:
        raise TypeError(f"method: expected a Recurrent, a Window or a Chunk method, got {type(method).__name__}")
    if sigma is None and not method.blind:
        raise ValueError(f"method {method.name}: expected sigma, got none")
    restored = drive(method, (_fitting(method, frame) for frame in frames), sigma)
    return (_finite(method, frame, t) for t, frame in enumerate(restored))


def _finite(method: Method, frame: Tensor, t: int) -> Tensor:
    # The sum tells in a tenth of the time that all are finite; one too large for it is looked at again.
    if not torch.isfinite(frame.sum()) and not torch.isfinite(frame).all():
        raise FloatingPointError(f"method {method.name}: restored frame {t} has values that are not finite")
    return frame


def _fitting(method: Method, frame: Tensor) -> Tensor:
    if frame.ndim != 4 or method.channels not in (None, frame.shape[1]):
        wanted = method.channels or "C"
        raise ValueError(f"method {method.name}: expected frames [B,{wanted},H,W], got {list(frame.shape)}")
    return frame


def _per_clip(sigma: float | Sequence[float] | Tensor | None, frame: Tensor) -> Tensor | None:
    if sigma is None:
        return None
    return torch.as_tensor(sigma, dtype=torch.float32, device=frame.device).expand(frame.shape[0])


# inference_mode stands around each call, not around the loop: a generator would leak it to whoever iterates.
def _stream_recurrent(method: Recurrent, frames: Iterator[Tensor], sigma: Any) -> Iterator[Tensor]:
    state = None
    for frame in frames:
        with torch.inference_mode():
            restored, state = step_on(method, frame, state, _per_clip(sigma, frame))
        yield restored


def _stream_window(method: Window, frames: Iterator[Tensor], sigma: Any) -> Iterator[Tensor]:
    radius = method.radius
    seen: deque[Tensor] = deque(maxlen=2 * radius + 1)
    count = 0

    def restored(middle: int, length: int) -> Tensor:
        oldest = count - len(seen)
        places = range(middle - radius, middle + radius + 1)
        indices = [border_index(place, length, method.border) for place in places]
        window = torch.stack([seen[index - oldest] for index in indices], dim=1)
        with torch.inference_mode():
            return method.apply(window, _per_clip(sigma, window))

    for frame in frames:
        seen.append(frame)
        count += 1
        if count > radius:
            # The clip goes on at least to the newest frame, which is as far as this window looks.
            yield restored(count - 1 - radius, count)
    for middle in range(max(0, count - radius), count):
        yield restored(middle, count)


def _stream_chunk(method: Chunk, frames: Iterator[Tensor], sigma: Any) -> Iterator[Tensor]:
    chunk, overlap = method.chunk, method.overlap
    seen: deque[Tensor] = deque(maxlen=chunk + 2 * overlap)
    count = done = 0

    def restored(stop: int) -> tuple[Tensor, ...]:
        oldest = count - len(seen)
        first = max(oldest, done - overlap)
        context = torch.stack([seen[index - oldest] for index in range(first, count)], dim=1)
        with torch.inference_mode():
            given = method.restore(context, _per_clip(sigma, context))
        return given[:, done - first : stop - first].unbind(1)

    for frame in frames:
        seen.append(frame)
        count += 1
        if count == done + chunk + overlap:
            yield from restored(done + chunk)
            done += chunk
    while done < count:
        stop = min(done + chunk, count)
        yield from restored(stop)
        done = stop


_DRIVES: dict[type, Callable[[Any, Iterator[Tensor], Any], Iterator[Tensor]]] = {
    Recurrent: _stream_recurrent,
    Window: _stream_window,
    Chunk: _stream_chunk,
}


def border_index(index: int, length: int, border: Border = "reflect") -> int:
    """Which frame of a clip of ``length`` frames stands at ``index``, which may lie outside of it."""
    if border == "replicate" or length == 1:
        return min(max(index, 0), length - 1)
    period = 2 * (length - 1)
    index %= period
    return min(index, period - index)
