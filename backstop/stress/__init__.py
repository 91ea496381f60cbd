"""Stress tests of the insurance pools: what shocks of the marks would cost them, in float64.

Pure functions from marks to outcomes, vectorised over draws. They estimate; no amount that is booked or sent comes from
here. The model is in docs/stress.md.
"""
