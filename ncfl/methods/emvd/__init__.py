"""EMVD: frames fused, denoised and refined scale by scale of a learned wavelet."""

from ncfl.methods.record import LearnedRecord, Network


def _small() -> Network:
    from ncfl.methods.emvd.identity_init import let_frames_pass
    from ncfl.methods.emvd.method import EMVDMethod
    from ncfl.methods.emvd.model import EMVD, emvd_s

    return Network(EMVD, EMVDMethod, published=emvd_s, passing=let_frames_pass)


def _large() -> Network:
    from ncfl.methods.emvd.identity_init import let_frames_pass
    from ncfl.methods.emvd.method import EMVDMethod
    from ncfl.methods.emvd.model import EMVD, emvd_l

    return Network(EMVD, EMVDMethod, published=emvd_l, passing=let_frames_pass)


METHODS = (
    LearnedRecord(name="emvd-l", title="EMVD-L", shape="recurrent", needs_sigma=True, network=_large),
    LearnedRecord(
        name="emvd-s",
        title="EMVD-S",
        shape="recurrent",
        needs_sigma=True,
        network=_small,
        besides_layers="layers so small that wavelets and calls show",
    ),
)
