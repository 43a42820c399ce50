"""EDVR: five frames aligned in feature space, fused by attention."""

from ncfl.methods.edvr.model import EDVR, EDVRMethod, edvr, edvr_m_x4, edvr_x4, official_names

__all__ = ["EDVR", "EDVRMethod", "edvr", "edvr_m_x4", "edvr_x4", "official_names"]
