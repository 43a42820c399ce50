"""BasicVSR++: a clip four times through, features aligned by flow and deformable convolutions."""

from ncfl.methods.record import Format, LearnedRecord, Network, OfficialWeights


def _network() -> Network:
    from ncfl.methods.basicvsrpp.identity_init import let_frames_pass
    from ncfl.methods.basicvsrpp.model import BasicVSRPlusPlus, BasicVSRPlusPlusMethod, basicvsrpp

    return Network(BasicVSRPlusPlus, BasicVSRPlusPlusMethod, published=basicvsrpp, passing=let_frames_pass)


def _denoising() -> Format:
    from ncfl.methods.basicvsr.official_names import official_names
    from ncfl.methods.basicvsrpp.model import basicvsrpp

    return Format(build=basicvsrpp, names=official_names)


def _superresolution() -> Format:
    from ncfl.methods.basicvsr.official_names import official_names
    from ncfl.methods.basicvsrpp.model import basicvsrpp_x4

    return Format(build=basicvsrpp_x4, names=official_names)


METHOD = LearnedRecord(
    name="basicvsrpp",
    title="BasicVSR++",
    shape="chunk",
    network=_network,
    spynet=True,
    official=(
        OfficialWeights(
            name="basicvsrpp",
            source="open-mmlab/mmagic, BasicVSR++ denoising",
            licence="Apache 2.0 (the repository)",
            files=("basicvsr_plusplus_denoise.pth",),
            format=_denoising,
        ),
        OfficialWeights(
            name="basicvsrpp-x4",
            source="open-mmlab/mmagic, BasicVSR++ super-resolution",
            licence="Apache 2.0 (the repository)",
            files=("basicvsr_plusplus_x4.pth",),
            format=_superresolution,
            restores=False,
        ),
    ),
    besides_layers="deformable: looking up between pixels",
)
