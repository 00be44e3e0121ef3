"""Probes that tell whether a server answers."""
