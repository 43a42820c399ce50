"""Neural Compression-Based Feature Learning for Video Restoration (CVPR 2022), reproduced as one pipeline.

For Python code: :func:`restore` restores frames, :func:`load_method` gives any method by name, :func:`results` gives
every published and measured figure. They are imported when they are first asked for: ``import ncfl`` takes no time.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ncfl.api.frames import load_method, restore
    from ncfl.api.results_frame import results
    from ncfl.common.errors import InputError

__version__ = "0.1.0"
__all__ = ["InputError", "load_method", "restore", "results"]

_HOMES = {
    "InputError": "ncfl.common.errors",
    "load_method": "ncfl.api.frames",
    "restore": "ncfl.api.frames",
    "results": "ncfl.api.results_frame",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
