"""Data-parallel training: each of several processes takes its share of every batch, by PyTorch's DDP.

A process learns from its environment that it is one of several: ``RANK``, ``WORLD_SIZE``, ``MASTER_ADDR`` and
``MASTER_PORT``, as ``torchrun`` sets them, or as :func:`followed` does, which starts the other processes on this
machine. All of them build the same network from the same seed and read the same resume state; the first alone writes
and reports. Gradients are the mean over all processes, so that the weights stay equal everywhere.
"""

import contextlib
import multiprocessing
import os
import socket
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

import torch
from torch import Tensor, distributed, nn
from torch.nn.parallel import DistributedDataParallel

from ncfl.common.errors import InputError, StepError

B = TypeVar("B")
SETTINGS = ("RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")


class Processes:
    """The processes of a training, as one of them sees them.

    Args:
        rank: the number of this process, from 0; the first one writes and reports.
        count: of all of them.
    """

    def __init__(self, rank: int = 0, count: int = 1) -> None:
        self.rank, self.count = rank, count
        self._wrapped: tuple[frozenset[str], nn.Module] | None = None

    @property
    def first(self) -> bool:
        """Whether this is the process that writes and reports."""
        return self.rank == 0

    def share(self, parts: Sequence[B]) -> Sequence[B]:
        """Of the parts of a batch those that this process takes; their number is a multiple of that of processes."""
        size = len(parts) // self.count
        return parts[self.rank * size : (self.rank + 1) * size]

    def mean(self, values: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """The mean of scalars over all processes, the same in each of them; one that is no number makes it none."""
        if self.count == 1:
            return dict(values)
        together = torch.stack([value.detach().float() for value in values.values()])
        distributed.all_reduce(together)
        return dict(zip(values, together / self.count, strict=True))

    def any(self, flag: bool, device: torch.device) -> bool:
        """Whether any process says so."""
        if self.count == 1:
            return flag
        said = torch.tensor(float(flag), device=device)
        distributed.all_reduce(said)
        return said.item() > 0

    def loss_of(
        self, model: nn.Module, loss: Callable[..., Mapping[str, Tensor]], *, parts: int = 1
    ) -> Callable[..., Any]:
        """``loss(model, **inputs)`` as a function of the inputs, whose gradients are the mean over all processes.

        Args:
            model: with the weights.
            loss: gives scalars by name.
            parts: backward passes of an iteration, of which all but the last are :meth:`apart`.
        """
        if self.count == 1:
            return lambda **inputs: loss(model, **inputs)
        # DDP counts on the weights that had a gradient when it was made; frozen ones may thaw later.
        trained = frozenset(name for name, weight in model.named_parameters() if weight.requires_grad)
        if self._wrapped is None or self._wrapped[0] != trained:
            # Weights that a loss does not reach are found once where all iterations are alike. With several parts
            # PyTorch 2.13 ends in an internal error then, so they are looked for in each.
            how = {"static_graph": True} if parts == 1 else {"find_unused_parameters": True}
            self._wrapped = (trained, DistributedDataParallel(_Loss(model, loss), **how))
        return self._wrapped[1]

    def apart(self, loss: Callable[..., Any], last: bool) -> contextlib.AbstractContextManager[None]:
        """Within it gradients stay where they are, unless it is the ``last`` part of a batch that brings them."""
        if last or not isinstance(loss, DistributedDataParallel):
            return contextlib.nullcontext()
        return loss.no_sync()

    def wait(self) -> None:
        """Until all processes are here."""
        if self.count > 1:
            distributed.barrier()


class _Loss(nn.Module):
    """A network and its loss as one module, since DDP wants a single forward pass for each backward one."""

    def __init__(self, model: nn.Module, loss: Callable[..., Mapping[str, Tensor]]) -> None:
        super().__init__()
        self.model, self.loss = model, loss

    def forward(self, **inputs: Any) -> Mapping[str, Tensor]:
        return self.loss(self.model, **inputs)


def rank() -> int:
    """The number of this process among those that its environment names; 0 where it names none."""
    return int(os.environ.get("RANK", "0")) if int(os.environ.get("WORLD_SIZE", "1")) > 1 else 0


@contextlib.contextmanager
def joined(device: torch.device) -> Iterator[Processes]:
    """This process among those that its environment names; alone where it names none.

    Args:
        device: what trains: GPUs speak by NCCL, processors by gloo.
    """
    count = int(os.environ.get("WORLD_SIZE", "1"))
    if count == 1:
        yield Processes()
        return
    distributed.init_process_group("nccl" if device.type == "cuda" else "gloo")
    try:
        yield Processes(distributed.get_rank(), count)
    finally:
        distributed.destroy_process_group()


@contextlib.contextmanager
def followed(count: int, follow: Callable[..., None], *arguments: Any) -> Iterator[None]:
    """Within the block ``count - 1`` other processes of this machine train beside this one.

    Where a launcher such as ``torchrun`` has already named the processes, or with a ``count`` of 1, none is started.

    Args:
        count: of all processes.
        follow: what each of the others runs; a function that can be imported.
        arguments: of ``follow``.
    """
    if count == 1 or "WORLD_SIZE" in os.environ:
        yield
        return
    context = multiprocessing.get_context("spawn")
    shared = {"WORLD_SIZE": str(count), "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(_free_port())}
    others = [
        context.Process(target=_follow, args=({**shared, "RANK": str(rank)}, follow, arguments), daemon=True)
        for rank in range(1, count)
    ]
    os.environ.update(shared, RANK="0")
    try:
        for other in others:
            other.start()
        yield
        for other in others:
            other.join()
    finally:
        for name in SETTINGS:
            os.environ.pop(name, None)
        for other in others:
            if other.pid is not None:
                other.terminate()
                other.join()


def _follow(environment: Mapping[str, str], follow: Callable[..., None], arguments: Sequence[Any]) -> None:
    """One of the other processes. What is wrong with the training all of them find, and the first one reports."""
    os.environ.update(environment)
    try:
        follow(*arguments)
    except (InputError, StepError):
        sys.exit(1)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
