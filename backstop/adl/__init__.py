"""Ranking and planning of auto-deleveraging: pure functions of a snapshot."""
