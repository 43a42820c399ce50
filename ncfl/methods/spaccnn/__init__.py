"""SPAC-CNN: superpixel alignment and compensation."""

from ncfl.methods.spaccnn.model import SpacCNN, SpacCNNMethod

__all__ = ["SpacCNN", "SpacCNNMethod"]
