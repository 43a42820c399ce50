"""RMFD: recurrent multi-frame deraining."""

from ncfl.methods.record import Format, LearnedRecord, Network, OfficialWeights


def _network() -> Network:
    from ncfl.methods.rmfd.identity_init import let_frames_pass
    from ncfl.methods.rmfd.method import RMFDMethod
    from ncfl.methods.rmfd.model import RMFD

    return Network(RMFD, RMFDMethod, published=RMFD, passing=let_frames_pass)


def _format() -> Format:
    from ncfl.methods.rmfd.model import NETWORKS, RMFD

    return Format(build=RMFD, parts=NETWORKS)


METHOD = LearnedRecord(
    name="rmfd",
    title="RMFD",
    shape="chunk",
    network=_network,
    official=(
        OfficialWeights(
            name="rmfd",
            source="flyywh/Recurrent-Multi-Frame-Deraining",
            licence="not stated",
            files=("model_epoch_<n>.pth",),
            format=_format,
        ),
    ),
)
