"""Targets: ranges of names, and expressions that combine them."""

from multiall_cli.planning.targets.grammar import atoms
from multiall_cli.planning.targets.ranges import LIMIT, NAME, expand, fold, is_name
from multiall_cli.planning.targets.selection import TargetWorld, select, world_of

__all__ = ["LIMIT", "NAME", "TargetWorld", "atoms", "expand", "fold", "is_name", "select", "world_of"]
