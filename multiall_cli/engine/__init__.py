"""Loops over members; knows only ports."""
