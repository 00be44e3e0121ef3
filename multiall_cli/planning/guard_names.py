"""Names of guards on the command line: `files.changes` and `names.changes` are two guards."""

from collections.abc import Collection, Iterable, Mapping, Sequence

from multiall_cli.domain.errors import UsageError
from multiall_cli.planning.suggestions import did_you_mean

FILES, NAMES = "files", "names"


def flag(guard: str) -> str:
    """Return the option that overrides a guard. `guard`: its full name."""
    return f"--force-guard {guard}"


def whole_names(part: str, guards: Iterable[str]) -> frozenset[str]:
    """Return the full names of the guards of one part."""
    return frozenset(f"{part}.{guard}" for guard in guards)


def flags(part: str, guards: Sequence[str]) -> str:
    """Return the options that override guards of one part."""
    return " ".join(f"--force-guard {part}.{guard}" for guard in guards)


def by_part(
    given: Sequence[str], known: Mapping[str, Sequence[str]], concerned: Collection[str]
) -> dict[str, tuple[str, ...]]:
    """Return part → the guards to override. `known`: part → all its guards.

    A short name, without its part, is valid only if exactly one of the `concerned` parts has a guard of that name.
    Raises UsageError if a name is unknown or ambiguous.
    """
    found: dict[str, list[str]] = {part: [] for part in known}
    for name in given:
        parts = [part for part, guards in known.items() if name in {f"{part}.{guard}" for guard in guards}]
        parts = parts or [part for part in concerned if name in known[part]]
        if len(parts) != 1:
            raise UsageError("--force-guard", *_trouble(name, parts, known))
        found[parts[0]].append(name.removeprefix(f"{parts[0]}."))
    return {part: tuple(guards) for part, guards in found.items()}


def _trouble(name: str, parts: Sequence[str], known: Mapping[str, Sequence[str]]) -> tuple[str, str]:
    if parts:
        return f"'{name}' is a guard of {' and of '.join(parts)}", " or ".join(f"write {part}.{name}" for part in parts)
    every = [f"{part}.{guard}" for part, guards in known.items() for guard in guards]
    short = [guard for guards in known.values() for guard in guards]
    return f"there is no guard '{name}'", f"{did_you_mean(name, [*every, *short])}the guards are {', '.join(every)}"
