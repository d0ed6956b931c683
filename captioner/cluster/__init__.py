"""Many machines: photos found on any file system, captions as a Parquet data set, and Ray between them."""
