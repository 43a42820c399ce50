"""How fast methods run here; apart from `ncfl.evaluate`, all of which decides what evaluations measure."""
