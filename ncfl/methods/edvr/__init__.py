"""EDVR: five frames aligned in feature space, fused by attention."""

from ncfl.methods.record import Format, LearnedRecord, Network, OfficialWeights


def _network() -> Network:
    from ncfl.methods.edvr.identity_init import let_frames_pass
    from ncfl.methods.edvr.model import EDVR, EDVRMethod, edvr

    return Network(EDVR, EDVRMethod, published=edvr, passing=let_frames_pass)


def _deblurring() -> Format:
    from ncfl.methods.edvr.model import edvr
    from ncfl.methods.edvr.official_names import official_names

    return Format(build=edvr, names=official_names)


def _superresolution() -> Format:
    from ncfl.methods.edvr.model import edvr_x4
    from ncfl.methods.edvr.official_names import official_names

    return Format(build=edvr_x4, names=official_names)


METHOD = LearnedRecord(
    name="edvr",
    title="EDVR",
    shape="window",
    network=_network,
    official=(
        OfficialWeights(
            name="edvr",
            source="XPixelGroup/BasicSR, EDVR-L deblurring",
            licence="Apache 2.0 (the repository)",
            files=("EDVR_L_deblur_REDS_official.pth",),
            format=_deblurring,
        ),
        OfficialWeights(
            name="edvr-x4",
            source="XPixelGroup/BasicSR, EDVR-L super-resolution",
            licence="Apache 2.0 (the repository)",
            files=("EDVR_L_x4_SR_REDS_official.pth",),
            format=_superresolution,
            restores=False,
        ),
    ),
    besides_layers="deformable: looking up between pixels",
)
