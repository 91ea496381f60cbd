"""Backstop: the off-chain half of the solvency layer of a perpetuals exchange.

`math` mirrors the contracts in exact integers, `adl` ranks and plans from a snapshot; both know nothing of chains.
"""
