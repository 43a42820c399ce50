"""Motion estimation: its pretraining, from rendered and from real pairs of frames."""
