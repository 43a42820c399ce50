"""RMFD: recurrent multi-frame deraining."""

from ncfl.methods.rmfd.model import RMFD, RMFDMethod, read_checkpoint

__all__ = ["RMFD", "RMFDMethod", "read_checkpoint"]
