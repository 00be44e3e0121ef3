"""All checks: their arguments, the values that they return, and the direction in which values get worse."""

from collections.abc import Mapping

from multiall_cli.planning.checks import accounts, databases, declarations, files, network, software, storage, system
from multiall_cli.planning.checks.kinds import Check, Value, Worse
from multiall_cli.planning.measures import Measure, read, shown

__all__ = ["CHECKS", "Check", "Measure", "Value", "Worse", "read", "shown"]

CHECKS: Mapping[str, Check] = {
    **files.CHECKS,
    **storage.CHECKS,
    **system.CHECKS,
    **accounts.CHECKS,
    **software.CHECKS,
    **network.CHECKS,
    **databases.CHECKS,
    **declarations.CHECKS,
}
