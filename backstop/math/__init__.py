"""Exact-integer mirror of the contracts' libraries (docs/mathematics.md). No floats, no Decimal, no chain."""
