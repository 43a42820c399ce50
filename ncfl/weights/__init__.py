"""Files of weights: reading, matching, official formats, what ships, and checkpoints of this project's trainings."""
