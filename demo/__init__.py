"""Two nodes on one machine: to try by hand (`make demo`), or to check without a browser."""
