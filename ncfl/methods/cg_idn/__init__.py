"""CG-IDN: several hazy frames aligned and fused, guided by how far each can be dehazed alone."""

from ncfl.methods.cg_idn.method import CGIDNMethod
from ncfl.methods.cg_idn.model import CGIDN, ConfidenceFusion, cost_volume

__all__ = ["CGIDN", "CGIDNMethod", "ConfidenceFusion", "cost_volume"]
