"""Rounds on record: the bonds behind them, what was done in one and why, and the challenge of who was left out."""
