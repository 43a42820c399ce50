"""FCRVD: two recurrent stages of deraining, aligned by motion between clean estimates."""

from ncfl.methods.record import LearnedRecord, Network


def _network() -> Network:
    from ncfl.methods.fcrvd.model import FCRVD, FCRVDMethod

    return Network(FCRVD, FCRVDMethod, published=FCRVD)


METHOD = LearnedRecord(name="fcrvd", title="FCRVD", shape="recurrent", network=_network, spynet=True)
