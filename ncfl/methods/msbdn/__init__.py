"""MSBDN: single-image dehazing by a U-Net that boosts and back-projects, frame by frame."""

from ncfl.methods.record import Format, LearnedRecord, Network, OfficialWeights


def _network() -> Network:
    from ncfl.methods.msbdn.identity_init import let_frames_pass
    from ncfl.methods.msbdn.model import MSBDN, MSBDNMethod

    return Network(MSBDN, MSBDNMethod, published=MSBDN, passing=let_frames_pass)


def _format() -> Format:
    from ncfl.methods.msbdn.model import MSBDN

    return Format(build=MSBDN)


METHOD = LearnedRecord(
    name="msbdn",
    title="MSBDN",
    shape="recurrent",
    network=_network,
    official=(
        OfficialWeights(
            name="msbdn",
            source="BookerDeWitt/MSBDN-DFF, trained on RESIDE",
            licence="not stated",
            files=("model.pkl",),
            format=_format,
            # The file holds the pickled network: networks/MSBDN-DFF-v1-1.py, base_networks.py, and torch's own.
            stand_ins=("networks.", "torch.nn."),
        ),
    ),
)
