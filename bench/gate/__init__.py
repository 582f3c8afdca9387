"""Judges: baselines, tolerances and intervals become a verdict, an exit code, a comment."""
