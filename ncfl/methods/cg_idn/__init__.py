"""CG-IDN: several hazy frames aligned and fused, guided by how far each can be dehazed alone."""

from ncfl.methods.record import LearnedRecord, Network


def _network() -> Network:
    from ncfl.methods.cg_idn.method import CGIDNMethod
    from ncfl.methods.cg_idn.model import CGIDN

    return Network(CGIDN, CGIDNMethod, published=CGIDN)


METHOD = LearnedRecord(
    name="cg-idn",
    title="CG-IDN",
    shape="window",
    network=_network,
    besides_layers="deformable: looking up between pixels; cost volumes",
)
