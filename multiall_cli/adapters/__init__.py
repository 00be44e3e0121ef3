"""Adapters to the outside world, one library a file."""
