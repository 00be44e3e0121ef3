"""What a row of the table is made of: an awkward case, how it is brought about, and what each program then does."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from tests.comparison.seen import Expected, Seen
from tests.comparison.stage import Stage


class Tool(StrEnum):
    """The columns."""

    MULTIALL = "MultiAll"
    ANSIBLE = "Ansible"
    PYINFRA = "pyinfra"
    CLUSTERSHELL = "ClusterShell"
    PSSH = "parallel-ssh"
    RSYNC = "rsync in a loop"


@dataclass(frozen=True, slots=True)
class Case:
    """`bring` brings it about on fresh hosts; a tool that is not in `expected` has nothing like it, for `lacks`."""

    name: str
    title: str
    bring: Callable[[Stage, Tool], Seen]
    expected: Mapping[Tool, Expected]
    lacks: str = "–"
