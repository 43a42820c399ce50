"""FastDVDNet: five frames to one by two steps of small U-Nets, without motion estimation."""

from ncfl.methods.record import Format, LearnedRecord, Network, OfficialWeights


def _network() -> Network:
    from ncfl.methods.fastdvdnet.identity_init import let_frames_pass
    from ncfl.methods.fastdvdnet.model import FastDVDNet, FastDVDNetMethod

    return Network(FastDVDNet, FastDVDNetMethod, published=FastDVDNet, passing=let_frames_pass)


def _format() -> Format:
    from ncfl.methods.fastdvdnet.model import FastDVDNet
    from ncfl.methods.fastdvdnet.official_names import official_names

    return Format(build=FastDVDNet, names=official_names)


METHOD = LearnedRecord(
    name="fastdvdnet",
    title="FastDVDNet",
    shape="window",
    needs_sigma=True,
    network=_network,
    official=(
        OfficialWeights(
            name="fastdvdnet",
            source="m-tassano/fastdvdnet",
            licence="MIT (the repository; earlier GPL v3)",
            files=("model.pth",),
            format=_format,
        ),
    ),
)
