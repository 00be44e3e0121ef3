"""Writes plain values as YAML."""

import yaml


def dump(value: object, *, ascii_only: bool = False) -> str:
    """Block style, keys in their own order, any character as it is (or, beyond ASCII, as its escape)."""
    return str(yaml.safe_dump(value, sort_keys=False, allow_unicode=not ascii_only, width=100))
