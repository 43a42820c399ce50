"""What frames can be restored: said once, for files and for arrays."""

import numpy as np

MIN_SIZE = 16  # pixels, of height and width
PEAKS = {np.dtype(np.uint8): 255, np.dtype(np.uint16): 65535}  # what stands for 1.0; floating point has it itself
