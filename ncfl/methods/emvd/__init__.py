"""EMVD: frames fused, denoised and refined scale by scale of a learned wavelet."""

from ncfl.methods.emvd.method import EMVDMethod
from ncfl.methods.emvd.model import EMVD, Color, State, Wavelet, emvd_l, emvd_s

__all__ = ["EMVD", "Color", "EMVDMethod", "State", "Wavelet", "emvd_l", "emvd_s"]
