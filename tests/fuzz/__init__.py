"""Damaged files for everything that reads one; ``tools/fuzz`` runs it."""
