"""Pages that show a training, a test and a data set: one HTML file each, charts and pictures inside."""
