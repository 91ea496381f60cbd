"""What `ape run` runs."""
