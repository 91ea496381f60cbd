"""Which accounts there are and what they hold, kept from block to block and checked against the chain."""
