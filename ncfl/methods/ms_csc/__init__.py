"""MS-CSC: rain as sparse copies of a few small filters, before a camera that stands still."""

from typing import TYPE_CHECKING

from ncfl.methods.record import BaselineRecord

if TYPE_CHECKING:
    from ncfl.methods.interface import Method


def _build() -> "Method":
    from ncfl.methods.ms_csc.method import MSCSC

    return MSCSC()


METHOD = BaselineRecord(name="ms-csc", title="MS-CSC", shape="chunk", build=_build)
