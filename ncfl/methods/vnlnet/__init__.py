"""VNLnet: a network fed with similar patches of the frames around."""

from ncfl.methods.record import Format, LearnedRecord, Network, OfficialWeights


def _network() -> Network:
    from ncfl.methods.vnlnet.identity_init import let_frames_pass
    from ncfl.methods.vnlnet.model import VNLNet, VNLNetMethod, vnlnet_color

    return Network(VNLNet, VNLNetMethod, published=vnlnet_color, passing=let_frames_pass)


def _gray() -> Format:
    from ncfl.methods.vnlnet.model import vnlnet_gray
    from ncfl.methods.vnlnet.official_names import official_names

    return Format(build=vnlnet_gray, names=official_names)


def _color() -> Format:
    from ncfl.methods.vnlnet.model import vnlnet_color
    from ncfl.methods.vnlnet.official_names import official_names

    return Format(build=vnlnet_color, names=official_names)


METHOD = LearnedRecord(
    name="vnlnet",
    title="VNLnet",
    shape="chunk",
    network=_network,
    official=tuple(
        OfficialWeights(
            name=f"vnlnet-{frames}",
            source="axeldavy/vnlnet, one file per noise level",
            licence="GPL v3 (its LICENSE and the headers of its files)",
            files=(f"vnlnet_{frames}_<sigma>.pth",),
            format=form,
            stand_ins=("argparse.Namespace",),
            level=r"_(\d+(?:\.\d+)?)\.pth$",
        )
        for frames, form in {"gray": _gray, "color": _color}.items()
    ),
    counting_sizes={"search": 1, "patch": 1},  # the search takes long and has nothing that counts
    besides_layers="search for similar patches",
)
