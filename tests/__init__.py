"""What shows that the contracts and the package do what they say."""
