"""DVDNet: each frame denoised alone, then five of them aligned by optical flow and fused."""

from ncfl.methods.record import Format, LearnedRecord, Network, OfficialWeights


def _network() -> Network:
    from ncfl.methods.dvdnet.identity_init import let_frames_pass
    from ncfl.methods.dvdnet.model import DVDNet, DVDNetMethod

    return Network(DVDNet, DVDNetMethod, published=DVDNet, passing=let_frames_pass)


def _format() -> Format:
    from ncfl.methods.dvdnet.model import DVDNet
    from ncfl.methods.dvdnet.official_names import official_names

    return Format(build=DVDNet, names=official_names)


METHOD = LearnedRecord(
    name="dvdnet",
    title="DVDNet",
    shape="chunk",
    needs_sigma=True,
    network=_network,
    official=(
        OfficialWeights(
            name="dvdnet",
            source="m-tassano/dvdnet",
            licence="GPL v3 or later (the repository)",
            files=("model_spatial.pth", "model_temp.pth"),
            format=_format,
        ),
    ),
    counted_on_values=True,  # optical flow
    besides_layers="optical flow and warping by OpenCV",
)
