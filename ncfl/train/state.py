"""What an iteration of a training reads and writes, and how it is taken down and taken up again."""

import collections
import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from ncfl.common.errors import InputError
from ncfl.train.optimizer import AdamW, moments, restore_moments


class TrainingState:
    """Everything that an iteration reads and writes.

    Args:
        model: not compiled; on its device, in its memory layout.
        optimizer: from :func:`ncfl.train.optimizer.adamw`.
        scaler: the gradient scaler (perhaps switched off).
        keep: how many iterations' values to remember for averages.

    ``done`` counts finished iterations of this stage; ``recent`` holds the last iterations' values, ``history`` the
    points of the curves so far: (iteration of the whole training, values).
    """

    def __init__(
        self,
        model: nn.Module,
        optimizer: AdamW,
        scaler: torch.amp.GradScaler,
        *,
        keep: int,
    ) -> None:
        self.model, self.optimizer, self.scaler = model, optimizer, scaler
        self.recent: collections.deque[dict[str, float]] = collections.deque(maxlen=keep)
        self.history: list[tuple[int, dict[str, float]]] = []
        self.done = 0

    def continuation(self) -> dict[str, Any]:
        """What the next stage takes over beside the weights."""
        return {"moments": moments(self.optimizer), "scaler": self.scaler.state_dict()}

    def take_over(self, continuation: Mapping[str, Any]) -> None:
        """Go on from another stage's :meth:`continuation`."""
        restore_moments(self.optimizer, continuation["moments"])
        if continuation["scaler"]:  # empty where the precision needed none
            self.scaler.load_state_dict(dict(continuation["scaler"]))

    def snapshot(self) -> dict[str, Any]:
        """The whole state, the random generators' included."""
        return {
            "model": self.model.state_dict(),
            **self.continuation(),
            "done": self.done,
            "recent": list(self.recent),
            "history": self.history,
            "random": torch.get_rng_state(),
            "random_cuda": torch.cuda.get_rng_state_all() if torch.cuda.is_initialized() else [],
        }

    def restore(self, snapshot: Mapping[str, Any]) -> None:
        """Return to a :meth:`snapshot`."""
        self.model.load_state_dict(snapshot["model"])
        self.take_over(snapshot)
        self.done = snapshot["done"]
        self.recent.extend(snapshot["recent"])
        self.history = [(step, values) for step, values in snapshot["history"]]
        torch.set_rng_state(snapshot["random"])
        if snapshot["random_cuda"] and torch.cuda.is_available():
            torch.cuda.set_rng_state_all(snapshot["random_cuda"])

    def mean(self, last: int) -> dict[str, float]:
        """Mean of each value over the ``last`` iterations that are remembered."""
        rows = list(self.recent)[-last:]
        return {name: sum(row[name] for row in rows) / len(rows) for name in rows[0]} if rows else {}

    def check(self, snapshot: Mapping[str, Any], *, at_most: int) -> None:
        """Hold a snapshot against this state before anything of it is taken over.

        Args:
            snapshot: from a file, perhaps damaged.
            at_most: iterations that the stage has.

        Raises:
            InputError: the first part that cannot be of a training like this one.
        """
        own = self.snapshot()
        if set(snapshot) != set(own):
            raise InputError(f"expected {', '.join(own)}, got the parts {', '.join(map(str, snapshot))}")
        _check_tensors("model", snapshot["model"], own["model"])
        _check_moments(snapshot["moments"], self.optimizer.parameters)
        _check_numbers("scaler", snapshot["scaler"], names=set(own["scaler"]))
        _check_points(snapshot, at_most)
        _check_generator(snapshot["random"], torch.Generator(), "random")
        if not isinstance(snapshot["random_cuda"], list):
            raise InputError(f"random_cuda: expected a list, got {type(snapshot['random_cuda']).__name__}")
        for one in snapshot["random_cuda"] if torch.cuda.is_available() else ():
            _check_generator(one, torch.Generator("cuda"), "random_cuda")


def _check_tensors(part: str, found: Any, own: Mapping[str, Tensor]) -> None:
    if not isinstance(found, Mapping) or set(found) != set(own):
        raise InputError(f"{part}: expected the tensors that the network has, got others")
    for name, like in own.items():
        value = found[name]
        if not isinstance(value, Tensor) or (value.shape, value.dtype) != (like.shape, like.dtype):
            raise InputError(f"{part}.{name}: expected {like.dtype} {tuple(like.shape)}, got another kind of value")
        if value.is_floating_point() and not value.isfinite().all():
            raise InputError(f"{part}.{name}: expected finite values, got others")


def _check_moments(found: Any, parameters: list[Tensor]) -> None:
    if not isinstance(found, Mapping):
        raise InputError(f"moments: expected those of the optimizer, got {type(found).__name__}")
    for position, values in found.items():
        if not isinstance(position, int) or not 0 <= position < len(parameters):
            raise InputError(f"moments: expected 0 ... {len(parameters) - 1}, got the weight {position!r}")
        like = torch.empty_like(parameters[position], device="cpu")
        own = {"step": torch.zeros(()), "exp_avg": like, "exp_avg_sq": like}
        _check_tensors(f"moments.{position}", values, own)


def _check_numbers(part: str, found: Any, names: set[str] | None = None) -> None:
    if not isinstance(found, Mapping) or (names is not None and set(found) != names):
        raise InputError(f"{part}: expected numbers by name, got {found!r:.80}")
    for name, value in found.items():
        if not isinstance(name, str) or not isinstance(value, int | float) or not math.isfinite(value):
            raise InputError(f"{part}.{name}: expected a finite number, got {value!r:.80}")


def _check_points(snapshot: Mapping[str, Any], at_most: int) -> None:
    done, recent, history = (snapshot[name] for name in ("done", "recent", "history"))
    if isinstance(done, bool) or not isinstance(done, int) or not 0 <= done <= at_most:
        raise InputError(f"done: expected a number of iterations from 0 to {at_most}, got {done!r:.80}")
    if not isinstance(recent, list) or not isinstance(history, list):
        raise InputError(
            f"recent and history: expected lists, got {type(recent).__name__} and {type(history).__name__}"
        )
    if len(recent) > done or (done and not recent):
        raise InputError(f"recent: expected 1 to {done} iterations, got {len(recent)}")
    values = list(recent)
    for point in history:
        if not isinstance(point, list | tuple) or len(point) != 2 or not isinstance(point[0], int):
            raise InputError(f"history: expected an iteration and its values, got {point!r:.80}")
        values.append(point[1])
    for number, row in enumerate(values):
        _check_numbers(f"values of point {number}", row)
    for rows in (recent, values[len(recent) :]):
        if any(set(row) != set(rows[0]) for row in rows):
            raise InputError("recent and history: expected points with the same values, got different ones")


def _check_generator(found: Any, generator: torch.Generator, part: str) -> None:
    like = generator.get_state()
    if not isinstance(found, Tensor) or (found.shape, found.dtype) != (like.shape, like.dtype):
        raise InputError(f"{part}: expected the state of a random generator, got something else")
    try:
        generator.set_state(found)
    except RuntimeError as error:
        raise InputError(f"{part}: expected the state of a random generator, got a damaged one") from error
