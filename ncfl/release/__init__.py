"""How the weights that come with the program are made: packed data, a training, an export, measurements, a card.

``tools/pretrain`` is its command line; docs/pretrained.md tells how it is used.
"""
