"""Sizes of small networks: with every module, and the smallest that can be given a memory (``SIZES``)."""

SMALL = {
    "unet_widths": (8, 8, 16, 16, 16),
    "feature_width": 8,
    "flow_width": 0.125,
    "mv_width": 8,
    "latent_width": 8,
    "attention_widths": (4, 4, 8),
    "attention_blocks": 1,
}

SIZES = {
    "unet_widths": (16, 16, 16, 16, 16),
    "feature_width": 8,
    "flow_width": 0.125,
    "mv_width": 4,
    "latent_width": 24,
    "attention_widths": (4, 4, 4),
    "attention_blocks": 1,
    "attention_extra_blocks": 1,
}
