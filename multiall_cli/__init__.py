"""MultiAll keeps every server of a pool the same and healthy, over SSH, from one admin host."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from multiall_cli.fleet import Fleet, FleetOptions

__version__ = "0.1.0"

__all__ = ["Fleet", "FleetOptions", "__version__"]


def __getattr__(name: str) -> Any:
    """The Python API, imported when it is asked for: what needs none of it starts quickly."""
    if name in __all__:
        from multiall_cli import fleet

        return getattr(fleet, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
