"""FastDVDNet's identity initialization."""

from ncfl.methods.fastdvdnet.model import DenBlock, FastDVDNet
from ncfl.methods.identity_init import STRENGTH, chain, check_width, keep, middle, place, unit_scales


def let_frames_pass(model: FastDVDNet) -> None:
    """Both blocks subtract nothing at first. InputError: too few features."""
    check_width(model, input_width=model.channels)
    for block in (model.temp1, model.temp2):
        _denoising_block(block, model.arguments["input_width"], model.channels)
    unit_scales(model)


def _denoising_block(block: DenBlock, width: int, channels: int) -> None:
    """The middle one of three frames, which stay apart in the first layer."""
    apart, _, _, together, *_ = block.inc.convblock
    place(apart, ((width + c, c, *middle(apart)) for c in range(channels)), STRENGTH)
    keep(together, first=width)
    chain(block.outc.convblock, gain=1.0)
