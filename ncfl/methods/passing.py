"""Initial values with which a network gives back its frame at first, and its last layers see all of that frame.

As published, EDVR, BasicVSR, BasicVSR++, RMFD and MSBDN begin with layers most of which halve what they hand on, or mix
its colors up. The first three work at a quarter of a frame's height and width and add what they find to the frame: to
take noise away, all pixels of a 4 x 4 square must reach the last layers, as channels. Until they do a network stays the
identity, for thousands of iterations. Here layers begin by handing on the frame, squares unfolded into channels and
folded back, beside faint random weights.

FastDVDNet, DVDNet and VNLnet subtract what they find. As published the first two begin with a guess that is stronger
than any noise, the third with normalizations that let next to nothing through; here the last layer begins at zero. The
frame passes where normalizations are at rest (:mod:`ncfl.train.settling`), since they take its brightness away.

EMVD makes each scale's bands anew, the coarsest of which are up to 14 times as large as a frame's values: at first it
hands on the low bands of its scale and of the coarser one, half of each, and so begins as a mean over small squares.
SpacCNN adds detail to a mean of matches, which is blurred: at first it adds the frame's own, where there is no rain.

Trainings of minutes begin so; structure and size stay as published.
"""

import itertools
from collections.abc import Iterable, Mapping

import torch
from torch import nn

from ncfl.common.errors import InputError
from ncfl.methods.basicvsr.model import BasicVSR, Propagating
from ncfl.methods.basicvsrpp.model import BasicVSRPlusPlus
from ncfl.methods.dvdnet.model import RADIUS, DVDNet, Temporal
from ncfl.methods.edvr.model import EDVR
from ncfl.methods.emvd.model import EMVD
from ncfl.methods.fastdvdnet.model import DenBlock, FastDVDNet
from ncfl.methods.msbdn.model import MSBDN, Projection, Upsampling
from ncfl.methods.rmfd.model import RMFD
from ncfl.methods.rmfd.network import MultiFrameNet
from ncfl.methods.spaccnn.model import SpacCNN
from ncfl.methods.vnlnet.model import VNLNet

PASSING = (EDVR, BasicVSR, BasicVSRPlusPlus, RMFD, MSBDN, FastDVDNet, DVDNet, VNLNet, EMVD, SpacCNN)
FAINT = 0.1  # of a layer's random weights
STRENGTH = 8.0  # of what is handed on to a last layer that begins at zero: the stronger, the sooner it has learnt
SQUARE = 16  # pixels that become channels


@torch.no_grad()
def let_frames_pass(model: nn.Module) -> None:
    """Set the initial values of a network that was just built, in place.

    Raises:
        InputError: a network that is not named above, or that has too few features for a frame to pass.
    """
    if isinstance(model, EDVR | Propagating):
        _wide_enough(model, width=SQUARE * model.channels, tail_width=model.channels)
        _edvr(model) if isinstance(model, EDVR) else _propagating(model)
        for conv in (model.upconv1, model.upconv2, model.conv_hr):
            _keep(conv)
        _weaken(model.conv_last, 0.0)
    elif isinstance(model, RMFD):
        _wide_enough(model, width=model.channels)
        for network in (model.multi_model_res, model.multi_model_haze, model.multi_model_s2):
            _multi_frame(network)
    elif isinstance(model, MSBDN):
        _wide_enough(model, width=model.channels)
        _msbdn(model)
    elif isinstance(model, FastDVDNet | DVDNet | VNLNet):
        _subtracting(model)
    elif isinstance(model, EMVD):
        _emvd(model)
    elif isinstance(model, SpacCNN):
        _spaccnn(model)
    else:
        raise InputError(f"passing: found {model.kind}, allowed: {', '.join(one.kind for one in PASSING)}")


def _subtracting(model: FastDVDNet | DVDNet | VNLNet) -> None:
    if isinstance(model, FastDVDNet):
        _wide_enough(model, input_width=model.channels)
        for block in (model.temp1, model.temp2):
            _denoising_block(block, model.arguments["input_width"], model.channels)
    elif isinstance(model, DVDNet):
        _wide_enough(model, width=4 * model.channels)
        _chain(model.spatial.conv_relu_bn, first=model.channels)  # after the noise map
        _merging(model.temporal, model.channels)
    else:
        _wide_enough(model, match_width=model.channels, width=model.channels)
        _chain(model.net, first=model.past * model.channels)
    for part in model.modules():
        if isinstance(part, nn.BatchNorm2d):
            nn.init.ones_(part.weight)


def _denoising_block(block: DenBlock, width: int, channels: int) -> None:
    """FastDVDNet's: the middle one of three frames, which stay apart in the first layer."""
    apart, _, _, together, *_ = block.inc.convblock
    middle = apart.weight.shape[-1] // 2
    _set(apart, ((width + c, c, middle, middle) for c in range(channels)), STRENGTH)
    _keep(together, first=width)
    _chain(block.outc.convblock, gain=1.0)


def _chain(layers: nn.Sequential, first: int = 0, gain: float | None = None) -> None:
    """Convolutions one after the other, the last at zero."""
    begin, *between, last = (layer for layer in layers if isinstance(layer, nn.Conv2d))
    _keep(begin, gain=STRENGTH if gain is None else gain, first=first)
    for conv in between:
        _keep(conv)
    _weaken(last, 0.0)


def _merging(temporal: Temporal, channels: int) -> None:
    """DVDNet's second network subtracts nothing: it makes the middle one of five frames anew, after the noise map."""
    _unfold(temporal.down_conv[0], channels, first=(1 + RADIUS) * channels)
    _keep(temporal.conv1x1)
    _weaken(temporal.block_conv[-3])
    for conv in (temporal.out_conv[0], temporal.out_conv[-1]):
        _keep(conv)


def _emvd(model: EMVD) -> None:
    channels, (_, width) = model.channels, model.arguments["denoising"]
    if width < 2 * channels:
        raise InputError(f"emvd: denoising: expected a width from {2 * channels} on, for a frame to pass, got {width}")
    for scale, stage in enumerate(model.denoising):
        coarsest = scale == model.scales - 1
        # Where the low bands stand in the input, and how much of each is handed on.
        _signed(stage, channels, {0: 1.0} if coarsest else {0: 0.5, 4 * channels: 0.5})


def _spaccnn(model: SpacCNN) -> None:
    channels, widths = model.channels, model.arguments["widths"]
    if min(widths) < 2 * channels:
        raise InputError(f"spaccnn: widths: expected {2 * channels} or more, for a frame to pass, got {list(widths)}")
    _signed(model.convs, channels, {channels: 1.0})  # the detail comes after the mean


def _signed(layers: nn.Sequential, channels: int, shares: Mapping[int, float]) -> None:
    """Each channel c through two features, 2c and 2c + 1: what is above zero, and what is below.

    shares: the first channel of each part of the input that is handed on -> how much of it.
    """
    begin, *between, last = (layer for layer in layers if isinstance(layer, nn.Conv2d))
    for conv in between:
        _keep(conv)
    _weaken(begin)
    _weaken(last)
    for c, (side, sign) in itertools.product(range(channels), enumerate((1.0, -1.0))):
        for place, share in shares.items():
            begin.weight[2 * c + side, place + c, *_middle(begin)] += sign * share
        last.weight[c, 2 * c + side, *_middle(last)] += sign


def _middle(conv: nn.Module) -> tuple[int, int]:
    height, width = conv.weight.shape[-2:]
    return height // 2, width // 2


def _wide_enough(model: nn.Module, **needed: int) -> None:
    for size, least in needed.items():
        found = model.arguments[size]
        if found < least:
            raise InputError(f"{model.kind}: {size}: expected {least} or more, for a frame to pass, got {found}")


def _edvr(model: EDVR) -> None:
    cleaning, alignment, fusion = model.predeblur, model.pcd_align, model.fusion
    _keep(cleaning.conv_first, gain=STRENGTH)
    _unfold(cleaning.stride_conv_hr1, model.channels)
    _unfold(cleaning.stride_conv_hr2, 4 * model.channels)
    _weaken(cleaning.stride_conv_l2)  # what comes back from coarser scales is added
    _keep(model.conv_1x1)
    for deformable in (*alignment.dcn_pack.values(), alignment.cas_dcnpack):
        _keep(deformable, gain=2.0)  # masks begin at one half
    for conv in alignment.feat_conv.values():
        _keep(conv)
    middle = model.frames // 2 * model.arguments["width"]
    if isinstance(fusion, nn.Conv2d):
        _keep(fusion, first=middle)
        return
    for conv in (fusion.temporal_attn1, fusion.temporal_attn2, fusion.spatial_attn5, fusion.spatial_attn_add2):
        _weaken(conv)
    _keep(fusion.feat_fusion, gain=2.0, first=middle)  # so does each frame's attention


def _propagating(model: BasicVSR | BasicVSRPlusPlus) -> None:
    first, _, second, _, trunk = model.feat_extract
    _unfold(first, model.channels, gain=STRENGTH)
    _unfold(second, 4 * model.channels)
    _keep(trunk.main[0])
    if isinstance(model, BasicVSR):
        trunks = (model.backward_trunk, model.forward_trunk)
        _keep(model.fusion)  # one direction's suffices
    else:
        trunks = (*model.backbone.values(), model.reconstruction)
    for one in trunks:
        _keep(one.main[0])


def _msbdn(model: MSBDN) -> None:
    for part in model.modules():
        if isinstance(part, Projection):
            _weaken(part.deconv if hasattr(part, "deconv") else part.conv)
        elif isinstance(part, Upsampling):
            _weaken(part.conv2d)
    _keep(model.conv_input.conv2d)
    _keep(model.conv_output.conv2d, gain=0.25)  # the skip connection doubles the frame, and so does the decoder


def _multi_frame(network: MultiFrameNet) -> None:
    """The middle frame of the first window goes from the first layer to the last over the longest skip connection."""
    channels, width = network.output2.conv2d.out_channels, network.conv1.conv2d.out_channels // 5
    first = network.conv1.conv2d
    middle = first.weight.shape[-1] // 2
    places = ((frame * width + c, c, middle, middle) for frame in range(5) for c in range(channels))
    _set(first, places, 1.0)
    for residual in (network.res1, network.dres1, network.dres2):
        _weaken(residual.conv2.conv2d)
    for up in (network.deconv3, network.deconv2):
        _weaken(up.conv2d)
    for layer in (network.deconv1, network.output1):
        _keep(layer.conv2d)
    if network.output2.conv2d.weight.abs().max() > 0:  # at zero where the authors have a constant for it
        _keep(network.output2.conv2d)


def _keep(conv: nn.Module, gain: float = 1.0, first: int = 0) -> None:
    """Output i is input ``first`` + i times ``gain``, for as many as both have, beside the faint rest."""
    outputs, inputs = conv.weight.shape[:2]
    middle = conv.weight.shape[-1] // 2
    _set(conv, ((i, first + i, middle, middle) for i in range(min(outputs, inputs - first))), gain)


def _unfold(conv: nn.Conv2d, channels: int, gain: float = 1.0, first: int = 0) -> None:
    """Of stride 2: the pixels of each 2 x 2 square become neighboring channels, in the order of ``pixel_shuffle``."""
    middle = conv.weight.shape[-1] // 2
    square = ((c, y, x) for c in range(channels) for y in range(2) for x in range(2))
    _set(conv, ((4 * c + 2 * y + x, first + c, middle + y, middle + x) for c, y, x in square), gain)


def _set(conv: nn.Module, places: Iterable[tuple[int, int, int, int]], gain: float) -> None:
    _weaken(conv)
    for place in places:
        conv.weight[place] += gain


def _weaken(conv: nn.Module, to: float | None = None) -> None:
    conv.weight.mul_(FAINT if to is None else to)
    if conv.bias is not None:
        conv.bias.zero_()
