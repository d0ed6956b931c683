"""A stranger's bytes to an upright RGB picture, to the network's square, and a mask back to the picture."""
