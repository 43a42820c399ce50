"""RMFD: recurrent multi-frame deraining."""

from ncfl.methods.rmfd.method import RMFDMethod
from ncfl.methods.rmfd.model import RMFD, read_checkpoint

__all__ = ["RMFD", "RMFDMethod", "read_checkpoint"]
