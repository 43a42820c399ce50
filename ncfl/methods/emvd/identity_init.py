"""EMVD's identity initialization."""

from ncfl.common.errors import InputError
from ncfl.methods.emvd.model import EMVD
from ncfl.methods.identity_init import signed


def let_frames_pass(model: EMVD) -> None:
    """Each scale hands on its low bands, half of each where there is a coarser one. InputError: too few features."""
    channels, (_, width) = model.channels, model.arguments["denoising"]
    if width < 2 * channels:
        raise InputError(f"emvd: denoising: expected a width from {2 * channels} on, for a frame to pass, got {width}")
    for scale, stage in enumerate(model.denoising):
        coarsest = scale == model.scales - 1
        # Where the low bands stand in the input, and how much of each is handed on.
        signed(stage, channels, {0: 1.0} if coarsest else {0: 0.5, 4 * channels: 0.5})
