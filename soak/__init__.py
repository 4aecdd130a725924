"""What takes hours: `make soak`."""
