"""What training reads: data sets, features on disk, and the batches made of them."""
