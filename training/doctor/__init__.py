"""What is wrong with a data set, found before the first step of training."""
