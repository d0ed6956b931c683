"""How captions are found: what may be written (`controls`), and the search itself in a graph and in NumPy."""
