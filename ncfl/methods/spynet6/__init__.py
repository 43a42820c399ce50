"""SPyNet as BasicVSR and BasicVSR++ use it: a part of methods, whose weights are published by themselves."""

from ncfl.methods.record import Format, OfficialWeights


def _format() -> Format:
    from ncfl.methods.spynet6.model import SPyNet6
    from ncfl.methods.spynet6.official_names import official_names

    return Format(build=SPyNet6, names=official_names)


WEIGHTS = OfficialWeights(
    name="spynet",
    source="sniklaus/pytorch-spynet or XPixelGroup/BasicSR",
    licence="of the original: no commercial use, no redistribution",
    files=("network-sintel-final.pytorch, spynet_*.pth, or a folder of .npy files",),
    format=_format,
    restores=False,
)
