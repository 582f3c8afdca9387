"""Accuracy against throughput: documents of scored models -> points -> the front of each tier -> the page about it."""
