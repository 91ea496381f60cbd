"""What the scripts and the tests stand on: the deployed system, a venue to trade in, the cases, the screen."""
