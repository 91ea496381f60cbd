"""What this machine lacks to build, test and run Backstop; needs nothing installed but click."""
