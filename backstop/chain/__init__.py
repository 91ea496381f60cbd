"""The way to a chain: endpoint, contract bindings, snapshot at one block."""
