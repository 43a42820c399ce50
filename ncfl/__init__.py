"""Neural Compression-Based Feature Learning for Video Restoration (CVPR 2022), reproduced as one pipeline."""

__version__ = "0.1.0"
