"""SPAC-CNN: superpixel alignment and compensation."""

from ncfl.methods.record import LearnedRecord, Network


def _network() -> Network:
    from ncfl.methods.spaccnn.identity_init import let_frames_pass
    from ncfl.methods.spaccnn.model import SpacCNN, SpacCNNMethod

    return Network(SpacCNN, SpacCNNMethod, published=SpacCNN, passing=let_frames_pass)


METHOD = LearnedRecord(
    name="spaccnn",
    title="SpacCNN",
    shape="window",
    network=_network,
    counted_on_values=True,  # superpixels
    besides_layers="superpixels and their matching in NumPy",
)
