"""The insurance fund for who stakes in it or watches it: where it stands, what happened, and its transactions."""
