"""Names of guards on the command line: `files.changes` and `zones.changes` are two guards."""

from collections.abc import Collection, Iterable, Mapping, Sequence

from multiall_cli.domain.errors import UsageError
from multiall_cli.planning.suggestions import did_you_mean


def flag(guard: str) -> str:
    """Return the option that opens a guard. `guard`: its full name."""
    return f"--force-guard {guard}"


def full_names(kind: str, guards: Iterable[str]) -> tuple[str, ...]:
    """Return the full names of the guards of one kind."""
    return tuple(f"{kind}.{guard}" for guard in guards)


def opened(given: Sequence[str], known: Mapping[str, Sequence[str]], concerned: Collection[str]) -> frozenset[str]:
    """Return the full names of the guards to open. `known`: kind -> all its guards.

    A short name, without its kind, is valid only if exactly one of the `concerned` kinds has a guard of that name.
    Raises UsageError if a name is unknown or ambiguous.
    """
    every = [name for kind, guards in known.items() for name in full_names(kind, guards)]
    found: set[str] = set()
    for name in given:
        meant = [name] if name in every else [f"{kind}.{name}" for kind in concerned if name in known[kind]]
        if len(meant) != 1:
            raise UsageError("--force-guard", *_trouble(name, meant, every))
        found.update(meant)
    return frozenset(found)


def _trouble(name: str, meant: Sequence[str], every: Sequence[str]) -> tuple[str, str]:
    if meant:
        kinds = " and of ".join(each.partition(".")[0] for each in meant)
        return f"'{name}' is a guard of {kinds}", " or ".join(f"write {each}" for each in meant)
    short = [each.partition(".")[2] for each in every]
    return f"there is no guard '{name}'", f"{did_you_mean(name, [*every, *short])}the guards are {', '.join(every)}"
