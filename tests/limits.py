"""How long a test waits for what must come: far longer than it takes, so that a busy machine fails no test."""

HANG = 300.0
"""Seconds after which what is awaited will not come."""
