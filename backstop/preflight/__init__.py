"""`backstop check`: whether the operator's own environment is what the settings say, one finding a line."""
