"""Mutants: the sources with one small fault each, and whether the tests notice."""
