"""What a trader does from a shell: accounts, collateral and orders."""
