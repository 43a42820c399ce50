"""Addresses that hold what they name, so that a page needs no file beside it."""

import base64


def address(kind: str, content: bytes) -> str:
    """A ``data:`` address of some content; ``kind`` is its media type."""
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"
