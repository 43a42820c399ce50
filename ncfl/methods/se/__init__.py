"""SE: rain as patches drawn from a mixture of Gaussians, before a camera that stands still."""

from typing import TYPE_CHECKING

from ncfl.methods.record import BaselineRecord

if TYPE_CHECKING:
    from ncfl.methods.interface import Method


def _build() -> "Method":
    from ncfl.methods.se.method import SE

    return SE()


METHOD = BaselineRecord(name="se", title="SE", shape="chunk", build=_build)
