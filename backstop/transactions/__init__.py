"""The one way to send: simulated, priced, journalled before it is broadcast, and followed until its block is final."""
