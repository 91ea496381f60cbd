"""The commands of `backstop`, one module each; `backstop.cli` puts them together."""
