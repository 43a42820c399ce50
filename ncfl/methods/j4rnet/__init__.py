"""J4RNet-P: joint recurrent rain removal and reconstruction, as published."""

from ncfl.methods.j4rnet.caffemodel import read_caffemodel
from ncfl.methods.j4rnet.model import LAYERS, J4RNet, J4RNetMethod, official_names

__all__ = ["LAYERS", "J4RNet", "J4RNetMethod", "official_names", "read_caffemodel"]
