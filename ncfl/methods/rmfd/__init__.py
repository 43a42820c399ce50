"""RMFD: recurrent multi-frame deraining."""

from ncfl.methods.rmfd.model import RMFD, RMFDMethod, official_names

__all__ = ["RMFD", "RMFDMethod", "official_names"]
