"""Trained twins: what their answers are worth, how fast they give them, and which of them ship."""
