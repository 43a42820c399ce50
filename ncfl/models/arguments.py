"""Networks that know what they were built with, so that a checkpoint can build them again."""

import functools
import inspect
from collections.abc import Callable
from typing import Any


def keeps_arguments(build: Callable[..., None]) -> Callable[..., None]:
    """Decorate a network's ``__init__``: the network then has ``arguments``, all that it was built with.

    Defaults are among them, and sequences become lists, as JSON knows them. ``type(network)(**network.arguments)``
    builds it again.
    """
    signature = inspect.signature(build)

    @functools.wraps(build)
    def built(self: Any, *given: Any, **named: Any) -> None:
        bound = signature.bind(self, *given, **named)
        bound.apply_defaults()
        _, *arguments = bound.arguments.items()
        build(self, *given, **named)
        self.arguments = {key: list(value) if isinstance(value, list | tuple) else value for key, value in arguments}

    return built
