"""Writes plain values as YAML."""

import yaml


def dump(value: object, *, ascii_only: bool = False) -> str:
    """Return block-style YAML, keys in their own order; `ascii_only` escapes other characters."""
    return str(yaml.safe_dump(value, sort_keys=False, allow_unicode=not ascii_only, width=100))
