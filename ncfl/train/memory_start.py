"""Where the memory of a network starts, so that it is of use from the first iteration.

Left to itself, a small network learns to restore single frames first, and until its memory is worth something the
gradient along it is noise: motion estimation drifts away, the features fade, and the memory is never used again. Here
a network that restores single frames is given a memory that works: three of its features carry the frame just seen as
luma and two colour differences, the compression passes them on nearly unchanged, the attention lets them through.
Initial values only: the structure is the paper's, and all of it is trained afterwards.

    x_t --> head, three spare directions --> skip, three spare directions --> c_t[:3] --> warp --> c_tilde[:3]

What the spare directions held is lost. Some hundred iterations on single frames, during which what follows the memory
rests, bring it back; and the U-Net hears the memory faintly at first, or it would learn to shut it off before that.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from ncfl.common.errors import InputError
from ncfl.models.compression import NeuralCompression
from ncfl.models.ncfl import NCFL
from ncfl.models.restoration import UNet

YUV = ((0.299, 0.587, 0.114), (-0.169, -0.331, 0.5), (0.5, -0.419, -0.081))  # BT.601, full range
LIFT = 1.5  # added to keep what passes a LeakyReLU positive, where it is linear; frames with noise leave [0,1]
GAIN = 8.0  # latent units per unit of luma: a step of 0.1 is then a rounding error of 0.9 of 255 gray levels
OPEN = 3.0  # of the attention before its sigmoid: 0.95
FAINT = 0.1  # times the usual start, of the weights with which the U-Net reads the memory
SPREAD = 10.0  # quantization steps, the prior's scale: latents then cost bits whose gradient is not cut off


@torch.no_grad()
def start_memory(model: NCFL, frames: Sequence[Tensor]) -> dict[str, float]:
    """Give ``model`` a memory, in place. Its motion estimation is left as it is.

    Args:
        model: with one U-Net, no compression or the neural one of 24 latents or more, attention or none; restores
            single frames.
        frames: [B,3,H,W] each, noisy as in training, H and W multiples of ``model.multiple``; statistics are of these.

    Returns:
        ``head``, ``last``: shares of the variance of the U-Net's first and last features that are kept.

    Raises:
        InputError: a network of another structure.
    """
    if model.channels != 3 or len(model.restoration.unets) != 1 or not _fits(model.compression):
        raise InputError(
            "memory: expected a network for RGB with one U-Net and 24 latents or none, got one of another structure"
        )
    fresh = NCFL(**model.arguments)
    for part in ("mv_refinement", "compression", "attention"):
        if getattr(model, part) is not None:
            getattr(model, part).load_state_dict(getattr(fresh, part).state_dict())
    if model.compression is not None:
        _pass_through(model.compression)
    if model.attention is not None:
        last = model.attention.decoder[-1]
        last.weight.mul_(0.1)
        last.bias.fill_(OPEN)
    unet, like = model.restoration.unets[0], fresh.restoration.unets[0]
    unet.head.weight[:, model.channels :] = FAINT * like.head.weight[:, model.channels :]
    unet.to_features.load_state_dict(like.to_features.state_dict())
    return _carry_frame(model, unet, frames)


def _fits(compression: nn.Module | None) -> bool:
    if compression is None:
        return True
    return isinstance(compression, NeuralCompression) and compression.encoder[2].out_channels >= 24


def _carry_frame(model: NCFL, unet: UNet, frames: Sequence[Tensor]) -> dict[str, float]:
    """Three directions of the first and of the last features at full size carry the frame to ``to_features``."""
    seen = {"head": (unet.skip[0], []), "last": (unet.to_features, [])}
    hooks = [
        layer.register_forward_pre_hook(lambda _, inputs, rows=rows: rows.append(_rows(inputs[0])))
        for layer, rows in seen.values()
    ]
    was_training = model.training
    model.eval()
    for frame in frames:
        model(frame, None)
    model.train(was_training)
    for hook in hooks:
        hook.remove()
    kept, spare = {}, {}
    for name, (_, rows) in seen.items():
        features = torch.cat(rows)
        variance, directions = torch.linalg.eigh(torch.cov(features.T))
        kept[name], spare[name] = (variance[3:].sum() / variance.sum()).item(), directions[:, :3]
        first = name == "head"
        block = (unet.encoder if first else unet.decoder)[0]
        writers = [unet.head] if first else [unet.skip[0], unet.up[0]]
        readers = [unet.skip[0], unet.down[0]] if first else [unet.to_frame]
        _free(
            [*writers, *(cab.body[2] for cab in block)],
            [*readers, *(cab.body[0] for cab in block)],
            spare[name],
            features.mean(0),
        )
    to_yuv = torch.tensor(YUV, dtype=torch.float64)
    unet.head.weight[:, :3, 1, 1] += (spare["head"] @ to_yuv).to(unet.head.weight)
    unet.skip[0].weight[..., 0, 0] += (spare["last"] @ spare["head"].T).to(unet.skip[0].weight)
    unet.to_features.weight[:3] = spare["last"].T[..., None, None].to(unet.to_features.weight)
    unet.to_features.bias[:3] = 0
    return kept


def _free(writers: Sequence[nn.Conv2d], readers: Sequence[nn.Conv2d], spare: Tensor, mean: Tensor) -> None:
    """Nothing writes to the ``spare`` directions of features any more, and nothing reads them but their mean."""
    out = torch.eye(len(mean), dtype=torch.float64) - spare @ spare.T
    for layer in writers:
        layer.weight.copy_(torch.einsum("oi,ikl...->okl...", out, layer.weight.double()))
        layer.bias.copy_(out @ layer.bias.double())
    for layer in readers:
        weight = layer.weight.double()
        layer.bias += (weight.sum((2, 3)) @ (spare @ spare.T @ mean)).to(layer.bias)
        layer.weight.copy_(torch.einsum("okxy,ki->oixy", weight, out))


def _pass_through(compression: NeuralCompression) -> None:
    """Features 0 (luma, every pixel) and 1, 2 (colour, 2x2 means) go through 24 latents; the rest is as it was."""
    down, shrink = compression.encoder[0], compression.encoder[2]
    grow, up = compression.decoder[0], compression.decoder[2]
    down.weight[:12], down.bias[:12] = 0, LIFT
    shrink.weight[:24], shrink.bias[:24] = 0, 0
    grow.weight[:, :12], grow.bias[:12] = 0, LIFT
    up.weight[:, :3], up.bias[:3] = 0, -LIFT
    for feature in range(3):
        for phase in range(4):
            row, column = divmod(phase, 2)
            channel = 4 * feature + phase
            # A kernel of stride 2 reads pixel 2i at its position 1 and pixel 2i + 1 at position 2.
            down.weight[channel, feature, 1 + row, 1 + column] = 1
            up.weight[channel, feature, 1 + row, 1 + column] = 1
            for second in range(4):
                below, right = divmod(second, 2)
                latent = 4 * phase + second if feature == 0 else 12 + 4 * feature + second
                share = GAIN if feature == 0 else GAIN / 4
                shrink.weight[latent, channel, 1 + below, 1 + right] = share
                grow.weight[latent, channel, 1 + below, 1 + right] = 1 / GAIN
    shrink.bias[:24] = -GAIN * LIFT
    width = shrink.out_channels
    compression.prior_model[-1].bias[width : 2 * width] = SPREAD


def _rows(x: Tensor) -> Tensor:
    """[B,C,H,W] -> [B*H*W,C], float64."""
    return x.permute(0, 2, 3, 1).reshape(-1, x.shape[1]).double()
