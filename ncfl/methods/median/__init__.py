"""Median filtering of each frame, the classical baseline of the paper's Table 5."""

from typing import TYPE_CHECKING

from ncfl.methods.record import BaselineRecord

if TYPE_CHECKING:
    from ncfl.methods.median.method import Median


def _build(kernel: int) -> "Median":
    from ncfl.methods.median.method import Median

    return Median(kernel)


METHODS = (
    BaselineRecord(name="median-3x3", title="Median 3x3", shape="recurrent", build=lambda: _build(3)),
    BaselineRecord(name="median-5x5", title="Median 5x5", shape="recurrent", build=lambda: _build(5)),
)
