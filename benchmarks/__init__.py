"""One command for each published figure; `make bench` runs them all and prints machine, method and spread."""
