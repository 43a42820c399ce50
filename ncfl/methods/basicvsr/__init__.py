"""BasicVSR: a clip in both directions, features carried along by optical flow."""

from ncfl.methods.record import Format, LearnedRecord, Network, OfficialWeights


def _network() -> Network:
    from ncfl.methods.basicvsr.identity_init import let_frames_pass
    from ncfl.methods.basicvsr.model import BasicVSR, BasicVSRMethod, basicvsr

    return Network(BasicVSR, BasicVSRMethod, published=basicvsr, passing=let_frames_pass)


def _superresolution() -> Format:
    from ncfl.methods.basicvsr.model import basicvsr_x4
    from ncfl.methods.basicvsr.official_names import official_names

    return Format(build=basicvsr_x4, names=official_names)


METHOD = LearnedRecord(
    name="basicvsr",
    title="BasicVSR",
    shape="chunk",
    network=_network,
    spynet=True,
    official=(
        OfficialWeights(
            name="basicvsr-x4",
            source="XPixelGroup/BasicSR or open-mmlab/mmagic, BasicVSR super-resolution",
            licence="Apache 2.0 (both repositories)",
            files=("BasicVSR_REDS4.pth",),
            format=_superresolution,
            restores=False,
        ),
    ),
)
