"""How good captions and masks are: metrics, baselines, and comparisons with people."""
