"""Restoring a video of one's own, and estimating its noise."""
