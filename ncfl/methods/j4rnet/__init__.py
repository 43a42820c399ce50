"""J4RNet-P: joint recurrent rain removal and reconstruction, as published."""

from ncfl.methods.record import Format, LearnedRecord, Network, OfficialWeights


def _network() -> Network:
    from ncfl.methods.j4rnet.model import J4RNet, J4RNetMethod

    return Network(J4RNet, J4RNetMethod, published=J4RNet)


def _format() -> Format:
    from ncfl.methods.j4rnet.caffemodel import read_caffemodel
    from ncfl.methods.j4rnet.model import J4RNet
    from ncfl.methods.j4rnet.official_names import official_names

    return Format(build=J4RNet, names=official_names, read=read_caffemodel)


METHOD = LearnedRecord(
    name="j4rnet-p",
    title="J4RNet-P",
    shape="chunk",
    network=_network,
    official=(
        OfficialWeights(
            name="j4rnet",
            source="flyywh/J4RNet-Deep-Video-Deraining-CVPR-2018",
            licence="not stated",
            files=("rain_removal_BRCN_type_iter_90000.caffemodel",),
            format=_format,
        ),
    ),
)
