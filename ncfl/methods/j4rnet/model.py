"""J4RNet-P (Liu, Yang, Yang and Guo, CVPR 2018, "Erase or Fill?"): the network that its authors published.

Layers and their order are those of ``deploy_rain_removal_BRCN_type.prototxt`` in
flyywh/J4RNet-Deep-Video-Deraining-CVPR-2018, the one network there that has weights (Caffe's format) and that
``test_practical.m`` runs. We take the P of the tables to mean it; the paper's recurrent network with the map
of occlusions (``..._GRU_SI_detection.prototxt``) came without weights. Three things differ on purpose:

- The script at first read the frame to be restored nine times instead of its neighbors (``num2str(i)`` where ``t``
  was meant; mended upstream on 2020-03-30). Here the neighbors are the neighbors.
  Of the nine frames the middle one's result takes three.
- It cuts the frame into 32 x 32 tiles, which the fixed size in the prototxt asks for; the network's reach is
  larger than their margin of 8. Here it sees the whole frame.
- The last convolution starts at zero when trained here: the network begins as the identity.
"""

import torch
from torch import Tensor, nn

from ncfl.common.errors import InputError
from ncfl.methods.common import all_frames, check_clip, he_normal
from ncfl.methods.learned import LearnedChunk
from ncfl.methods.luma import luma, with_luma
from ncfl.models.arguments import keeps_arguments
from ncfl.models.layers import added, conv3, zero_


class J4RNet(nn.Module):
    """Residual blocks on each luma plane, and in their middle one exchange with the frames before and after.

    y_t -> conv 1 -> c_t -> 3 blocks -> f_t -> shrink -> s_t
    s_{t-1}, s_t, s_{t+1} -> segment -> two maps m_1, m_2
    s_t + sum_i m_i (before_i s_{t-1} + after_i s_{t+1}) -> expand -> e_t
    f_t + e_t -> conv 8, 9 -> mean with f_t -> block -> mean with c_t -> conv 12 -> + y_t

    A block is two convolutions and the mean of its input and their result. channels: 3 (RGB; the luma is
    restored, the chroma kept) or 1; width: of the features; exchanged: features that neighbors see. The
    defaults are the published sizes, 401,899 parameters.
    """

    kind = "j4rnet"

    @keeps_arguments
    def __init__(self, *, channels: int = 3, width: int = 64, exchanged: int = 16) -> None:
        super().__init__()
        if channels not in (1, 3):
            raise InputError(f"{self.kind}: channels: expected 3 (RGB) or 1 (luma), got {channels}")
        self.channels = channels
        self.convs = nn.ModuleList([conv3(1, width), *(conv3(width, width) for _ in range(10)), conv3(width, 1)])
        self.shrink, self.expand = conv3(width, exchanged), conv3(exchanged, width)
        self.segment = nn.Sequential(conv3(3 * exchanged, max(exchanged // 2, 1)), conv3(max(exchanged // 2, 1), 2))
        # The published layers read a doubled input in two groups, which is one convolution of the single input.
        self.before, self.after = conv3(exchanged, 2 * exchanged), conv3(exchanged, 2 * exchanged)
        he_normal(self)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.zeros_(module.bias)
        zero_(self.convs[-1])

    def forward(self, planes: Tensor) -> Tensor:
        """Luma [B,T,1,H,W] -> restored, same shape; a clip's first and last frame are their own neighbors."""
        batch, length = planes.shape[:2]
        y = planes.flatten(0, 1)
        # Without gradients frame by frame: a frame's features are all that a processor's cache holds.
        frames = (y,) if torch.is_grad_enabled() else y.split(1)
        seen = [self._seen(frame) for frame in frames]
        told = self._exchange(torch.cat([self.shrink(x) for _, x in seen]), batch, length).split(len(frames[0]))
        restored = [self._restored(*parts, *own) for *parts, own in zip(frames, told, seen, strict=True)]
        return torch.cat(restored).unflatten(0, (batch, length))

    def _seen(self, y: Tensor) -> tuple[Tensor, Tensor]:
        """The first features of frames [N,1,H,W], and those before the exchange, [N,width,H,W] both."""
        first = self.convs[0](y).relu_()
        x = first
        for i in (1, 3, 5):
            x = self._block(i, x)
        return first, x

    def _restored(self, y: Tensor, told: Tensor, first: Tensor, x: Tensor) -> Tensor:
        """Frames [N,1,H,W] restored; told: what comes of the exchange; first, x: of :meth:`_seen`."""
        told = added(self.expand(told), x)
        x = self._closed(x, self.convs[8](self.convs[7](told).relu_()))
        x = self._block(9, x)
        # The gradient of a rectified block needs its result, which therefore is overwritten only where there is none.
        x = ((x + first) if torch.is_grad_enabled() else x.add_(first)).mul_(0.5)
        return added(self.convs[11](x), y)

    def _block(self, i: int, x: Tensor) -> Tensor:
        return self._closed(x, self.convs[i + 1](self.convs[i](x).relu_()))

    @staticmethod
    def _closed(x: Tensor, branch: Tensor) -> Tensor:
        return added(branch, x).mul_(0.5).relu_()

    def _exchange(self, s: Tensor, batch: int, length: int) -> Tensor:
        """What frames and their neighbors tell each other, [B*T,exchanged,H,W] -> the same shape."""
        clips = s.split(length)
        previous = torch.cat([part for clip in clips for part in (clip[:1], clip[:-1])])
        following = torch.cat([part for clip in clips for part in (clip[1:], clip[-1:])])
        maps = self.segment(torch.cat((previous, s, following), dim=1))
        moved = added(self.after(following), self.before(previous))
        for weight, part in zip(maps.split(1, dim=1), moved.chunk(2, dim=1), strict=True):
            s = torch.addcmul(s, weight, part)
        return s

    supervised = staticmethod(all_frames)

    def restore_clip(self, noisy: Tensor, sigma: Tensor | None = None) -> Tensor:
        """[B,T,C,H,W] in [0,1], any size from 16x16 on -> the same shape, not clipped; sigma is not used.

        InputError: no clip, another number of channels, a smaller frame.
        """
        check_clip(noisy, self.kind, self.channels, 1)
        if self.channels == 1:
            return self(noisy)
        y = luma(noisy)
        return with_luma(noisy, self(y.unsqueeze(2)).squeeze(2) - y)


class J4RNetMethod(LearnedChunk):
    """Drives a :class:`J4RNet` over pieces of a clip, which gives what the whole clip at once would; blind.

    At a clip's ends the end frame stands for the neighbor that is missing. The length of a piece is a matter of memory.
    """

    chunk = 8
    overlap = 1

    def run(self, frames: Tensor, sigma: Tensor | None) -> Tensor:
        """See :meth:`ncfl.methods.learned.LearnedChunk.run`."""
        return self.model.restore_clip(frames)
