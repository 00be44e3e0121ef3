"""Protocols that the engine needs; adapters implement them. Import each from its own module."""
