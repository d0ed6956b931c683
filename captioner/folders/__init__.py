"""What a model folder is: found, verified, read, and written whole or not at all."""
