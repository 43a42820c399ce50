"""PyAV, FFmpeg's libraries for Python: imported where a video is read or written, since it is no part of the core."""

from typing import Any

from ncfl.common.errors import InputError


def import_av() -> Any:
    """The module ``av``. InputError: not installed."""
    try:
        import av
    except ImportError:
        raise InputError("package av: not installed; video files need it (pip install av), folders do not") from None
    return av
