"""FastDerain: rain by the directions in which it is smooth."""

from typing import TYPE_CHECKING

from ncfl.methods.record import BaselineRecord

if TYPE_CHECKING:
    from ncfl.methods.interface import Method


def _build() -> "Method":
    from ncfl.methods.fastderain.method import FastDerain

    return FastDerain()


METHOD = BaselineRecord(name="fastderain", title="FastDerain", shape="chunk", build=_build)
