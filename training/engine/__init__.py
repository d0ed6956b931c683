"""What trains: losses, optimizer, the loop, validation, checkpoints, and the run that holds them together."""
