"""What runs a model behind `captioner.Captioner`: Keras, or graphs without it.

A runtime turns network squares into whatever its search needs (`encode`), searches captions, scores given words, and
writes a caption step by step. Arrays are NumPy's; the names in what `search` and `score` return are those of
`captioner.search.in_graph.search`.
"""
