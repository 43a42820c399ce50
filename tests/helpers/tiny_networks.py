"""The smallest network that can be given a memory."""

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
