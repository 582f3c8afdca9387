"""Tells: records become pages, tables and plots. Measures and judges nothing."""
