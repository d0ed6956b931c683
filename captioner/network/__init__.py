"""The network, in `keras.ops` alone: encoder, context, attention, decoder, and the model they make."""
