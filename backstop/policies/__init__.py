"""Ways of choosing whom to deleverage, compared on the same books; docs/policies.md has the model and its limits.

What Backstop's queue closes is planned in exact integers by `backstop.adl`; the other policies and every measure are
estimates in float64. Nothing here decides an order or an amount on chain.
"""
