"""Small values that declarations are made of."""

from multiall_cli.domain.dataclass import dataclass


@dataclass(frozen=True, slots=True)
class Secret:
    """Reference to a secret, never the secret: `${env:X}`, `${file:path}`, `${cmd:command}`."""

    kind: str
    name: str

    def __str__(self) -> str:
        return f"${{{self.kind}:{self.name}}}"


@dataclass(frozen=True, slots=True)
class Amount:
    """Number of members, or a share of a pool: `3` or `25%`."""

    number: int
    percent: bool = False

    def of(self, total: int) -> int:
        """Return the number of members: rounded up, and at least one in a pool that has any."""
        count = -(-total * self.number // 100) if self.percent else self.number
        return max(1, min(total, count))

    def __str__(self) -> str:
        return f"{self.number}{'%' if self.percent else ''}"


ONE = Amount(1)
