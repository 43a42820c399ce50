"""VNLnet (Davy, Ehret, Morel, Arias and Facciolo, ICIP 2019, arXiv:1811.12758): a CNN fed with similar patches.

Every pixel comes with the pixels at the centers of the patches most like its own, one from each of seven
frames before and after; the network takes these 15 planes for one frame. The search, tensor names and the
clip's ends are those of the authors' axeldavy/vnlnet; their OpenCL search is written in plain torch here.

There is a network for grey and one for color video, and weights for one noise level each (``vnlnet_gray_20``,
``vnlnet_color_20``), so sigma chooses the file and is not an input. The grey network restores the channels of
a color frame one by one, each as a video of its own.
"""

from math import sqrt
from typing import Any

import torch
from torch import Tensor, nn

from ncfl.common.errors import InputError
from ncfl.methods.common import he_normal
from ncfl.methods.interface import border_index
from ncfl.methods.learned import Learned
from ncfl.methods.vnlnet.pair_cache import MatchedPairs
from ncfl.models.arguments import keeps_arguments
from ncfl.models.padding import check_frame


def places(length: int, past: int, future: int) -> list[int | None]:
    """Which frame stands at -past ... length + future - 1 of a clip of ``length`` frames; None: a black one.

    As published, the places before the clip take the frames after the first one's own neighbors, and the
    places after it those before the last one's, so that no frame is seen twice. The published loop starts
    one too low at the end: it writes to the very first place instead, and the place right after the clip
    stays black, as do those whose frame a short clip lacks. A clip that the published code cannot index is
    reflected.
    """
    if length <= past or length < future:
        return [border_index(place, length) for place in range(-past, length + future)]
    frames: list[int | None] = [None] * past + list(range(length)) + [None] * future
    reach = past + future + 1
    for i in range(past):
        frames[i] = frames[reach + i]
    for i in range(future):
        frames[-i] = frames[-(reach + i)]
    return frames


def grey(frame: Tensor) -> Tensor:
    """The plane in which patches are compared: [B,C,H,W] -> [B,H,W]."""
    # Equal weights keep the most of the contrast over the noise; published as 0.57735, with unit sum of squares.
    return frame.sum(1) * 0.57735


def look_up(frame: Tensor, centers: Tensor) -> Tensor:
    """The pixels of ``frame`` [B,C,H,W] at ``centers``, y * W + x [B,H,W] -> [B,C,H,W]."""
    places = centers.long().flatten(1)[:, None].expand(-1, frame.shape[1], -1)
    return frame.flatten(2).gather(2, places).view_as(frame)


class VNLNet(nn.Module):
    """The network and its search.

    frames -> search -> 15 planes per channel -> 1x1 convs -> 3x3 convs -> noise;  y = frame - noise

    The defaults are the published grey network. channels: 1 or 3; past, future: frames searched; search and
    patch: pixels, see :func:`~ncfl.methods.vnlnet.search.most_similar`; match_width and match_convs: features and
    number of the 1x1 convolutions; width and convs: of the 3x3 ones.
    """

    kind = "vnlnet"

    @keeps_arguments
    def __init__(
        self,
        *,
        channels: int = 1,
        past: int = 7,
        future: int = 7,
        search: int = 41,
        patch: int = 41,
        match_width: int = 32,
        match_convs: int = 4,
        width: int = 64,
        convs: int = 15,
    ) -> None:
        super().__init__()
        if patch % 2 == 0:
            raise InputError(f"{self.kind}: patch: expected an odd number of pixels, got {patch}")
        self.channels, self.past, self.future, self.search, self.patch = channels, past, future, search, patch
        layers: list[nn.Module] = []
        for i in range(match_convs):
            inputs = match_width if i else channels * (past + 1 + future)
            layers += [nn.Conv2d(inputs, match_width, 1), nn.ReLU(inplace=True)]
        layers += [nn.Conv2d(match_width, width, 3, padding=1, bias=False), nn.ReLU(inplace=True)]
        for _ in range(convs - 2):
            layers += [nn.Conv2d(width, width, 3, padding=1, bias=False), nn.BatchNorm2d(width), nn.ReLU(inplace=True)]
        self.net = nn.Sequential(*layers, nn.Conv2d(width, channels, 3, padding=1, bias=False))
        self._start()

    def _start(self) -> None:
        """The published start: small scales of the normalizations, as DnCNN has them."""
        he_normal(self)
        for module in self.modules():
            if isinstance(module, nn.BatchNorm2d):
                nn.init.normal_(module.weight, 0, sqrt(2 / 9 / 64)).data.clamp_(-0.025, 0.025)

    def forward(self, planes: Tensor) -> Tensor:
        """[B,15*C,H,W], of each frame in turn its C channels -> the noise of the middle frame, [B,C,H,W]."""
        return self.net(planes)

    def restore_at(self, window: list[Tensor | None], centers: list[Tensor | None] | None = None) -> Tensor:
        """The middle one of past + 1 + future frames [B,C,H,W], None for a black one -> [B,C,H,W].

        centers: of each frame's most similar patches, [B,H,W], None for the middle and black ones; looked for here if
        they are not given.
        """
        frame = window[self.past]
        if centers is None:
            pairs = MatchedPairs(lambda i: grey(window[i]), patch=self.patch, search=self.search)
            others = [i != self.past and other is not None for i, other in enumerate(window)]
            centers = [pairs.centers(self.past, i) if other else None for i, other in enumerate(others)]
        planes = []
        for other, places in zip(window, centers, strict=True):
            black = torch.zeros_like(frame) if other is None else other
            planes.append(black if places is None else look_up(other, places))
        return frame - self(torch.cat(planes, dim=1))

    def restore(self, noisy: Tensor, device: str | torch.device | None = None) -> Tensor:
        """A whole clip [B,T,C,H,W], any T, H and W >= 16, nominally in [0,1] -> the same shape, not clipped.

        C is `channels`, or any number for the grey network. Frames are brought to ``device`` (where the clip is
        if None) one window at a time. InputError: another number of channels, a smaller frame.
        """
        length = self._length(noisy, 1)
        frames = places(length, self.past, self.future)
        return self._restore_each(noisy, frames, range(length), device or noisy.device)

    def _length(self, noisy: Tensor, shortest: int) -> int:
        """How many frames a batch of clips has; InputError for what is none, or a shorter one."""
        if noisy.ndim != 5:
            raise InputError(f"{self.kind}: expected clips of shape [B,T,C,H,W], got {list(noisy.shape)}")
        if noisy.shape[1] < shortest:
            raise InputError(f"{self.kind}: expected a clip of {shortest} frames or more, got {noisy.shape[1]}")
        check_frame(noisy[:, 0], noisy.shape[2] if self.channels == 1 else self.channels)
        return noisy.shape[1]

    def _restore_each(self, noisy: Tensor, frames: list[int | None], wanted: range, device: Any) -> Tensor:
        """The frames ``wanted``; frames[t + i] is the i-th of those that frame t is restored from."""
        batch, _, channels = noisy.shape[:3]
        if self.channels == 1:  # every channel is a video of its own
            noisy = noisy.transpose(1, 2).flatten(0, 1)[:, :, None]
        pairs = MatchedPairs(lambda i: grey(noisy[:, i].to(device)), patch=self.patch, search=self.search)
        restored = []
        for t in wanted:
            window = frames[t : t + self.past + 1 + self.future]
            sources = [None if i is None else noisy[:, i].to(device) for i in window]
            others = [*window[: self.past], None, *window[self.past + 1 :]]
            centers = [None if i is None else pairs.centers(t, i) for i in others]
            restored.append(self.restore_at(sources, centers).to(noisy.device))
            pairs.forget(t)
        clip = torch.stack(restored, dim=1)
        return clip[:, :, 0].unflatten(0, (batch, channels)).transpose(1, 2) if self.channels == 1 else clip

    def supervised(self, length: int) -> range:
        """Which frames of a clip :meth:`restore_clip` gives: those with all their neighbors."""
        return range(self.past, length - self.future)

    def restore_clip(self, noisy: Tensor, sigma: Tensor | None = None) -> Tensor:
        """[B,T,C,H,W] -> [B,T-past-future,C,H,W], the frames that :meth:`supervised` names; sigma is not used."""
        length = self._length(noisy, self.past + 1 + self.future)
        frames = [None] * self.past + list(range(length)) + [None] * self.future
        return self._restore_each(noisy, frames, self.supervised(length), noisy.device)


def vnlnet_gray(**sizes: int) -> VNLNet:
    """The published network of the files ``vnlnet_gray_*.pth``, or other ``sizes``."""
    return VNLNet(**sizes)


def vnlnet_color(**sizes: int) -> VNLNet:
    """The published network of the files ``vnlnet_color_*.pth``, 12 convolutions of 96 features, or other ``sizes``."""
    return VNLNet(**{"channels": 3, "width": 96, "convs": 12, **sizes})


class VNLNetMethod(Learned):
    """Drives a :class:`VNLNet` over a clip; blind, but its weights are for one noise level.

    A clip of up to ``chunk`` frames is restored as published. In a longer one the first frame's farthest
    neighbor is another frame than the published slip (see :func:`places`) would take; no other frame differs.
    Only a window of frames at a time is brought to the device.
    """

    chunk = 96  # frames; the longest clip of the paper's tables has 85, and each piece's context is searched anew

    def __init__(self, model: VNLNet, **settings: Any) -> None:
        super().__init__(model, **settings)
        if model.channels == 1:  # which restores the channels of any frame one by one
            self.channels = None
        self.overlap = model.past + model.future  # the frames that a clip's last ones take for missing neighbors

    def restore(self, frames: Tensor, sigma: Tensor | None) -> Tensor:
        """Restore ``frames`` [B,T,C,H,W] -> [B,T,C,H,W]; see :class:`ncfl.methods.interface.Chunk`."""
        return self.running.restore(frames, self.device)
