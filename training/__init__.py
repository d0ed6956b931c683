"""Turns pictures with captions into a model folder."""
