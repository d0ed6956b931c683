"""The demo page: a photo goes in, its caption comes out, and every word shows where the network looked."""
