"""VNLnet: a network fed with similar patches of the frames around."""

from ncfl.methods.vnlnet.model import VNLNet, VNLNetMethod, official_names, places, vnlnet_color, vnlnet_gray

__all__ = ["VNLNet", "VNLNetMethod", "official_names", "places", "vnlnet_color", "vnlnet_gray"]
