"""The keeper: reads the chain, decides what is due, and does it."""
