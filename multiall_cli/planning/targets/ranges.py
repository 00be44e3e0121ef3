"""Ranges of names in ClusterShell's notation: `web[1-3]`, `web[01-10]`, `rack[1-2]n[1,3-4]`, `n[0-9/2]`."""

import re
from collections.abc import Iterable, Iterator
from itertools import product
from typing import NoReturn

from multiall_cli.domain.errors import UsageError

LIMIT = 100_000
"""Maximum number of names that one pattern may expand to."""

LONGEST = 1000
"""Maximum length of a name in a pattern; server names are shorter."""

NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,252}")
"""Allow-list for names of servers and pools: a name can never be an option, a path or a terminal escape."""

_PIECE = re.compile(r"\[(?P<choices>[^\[\]]*)\]|(?P<comma>,)|(?P<text>[^\[\],]+)")
_STEP = re.compile(r"\s*(?P<first>[0-9]{1,15})(?:-(?P<last>[0-9]{1,15})(?:/(?P<step>[0-9]{1,15}))?)?\s*")
# Longer runs of digits are text, in folding as in expanding.
_NUMBERS = re.compile(r"(?<![0-9])([0-9]{1,15})(?![0-9])")

_Vector = tuple[frozenset[str], ...]


def is_name(text: str) -> bool:
    """Return whether this is a valid name of a server or a pool."""
    return NAME.fullmatch(text) is not None


def expand(pattern: str) -> tuple[str, ...]:
    """Return every name of a pattern, in the order written, without duplicates.

    Raises UsageError if the notation is wrong or has more than `LIMIT` names.
    """
    if "[" not in pattern and "]" not in pattern and "," not in pattern:
        if not pattern:
            _refuse(pattern, "is empty", "write a name or a range such as web[1-3]")
        return (pattern,)
    alternatives = _alternatives(pattern)
    longest = max(sum(len(piece[-1]) for piece in pieces) for pieces in alternatives)
    if longest > LONGEST:
        _refuse(pattern, f"stands for names of {longest:,} letters, the limit is {LONGEST:,}", "write shorter ones")
    names = ("".join(parts) for pieces in alternatives for parts in product(*pieces))
    return tuple(dict.fromkeys(names))


def fold(names: Iterable[str]) -> str:
    """Return names as the shortest patterns that expand to exactly these: web1, web2, web3 → `web[1-3]`.

    `expand` of the result gives the same names. Names with several numbers fold in each of them if they form a full
    grid.
    """
    groups: dict[tuple[str, ...], set[_Vector]] = {}
    for name in names:
        pieces = _NUMBERS.split(name)
        vector = tuple(frozenset((number,)) for number in pieces[1::2])
        groups.setdefault(tuple(pieces[0::2]), set()).add(vector)
    grids = ((texts, _grids(groups[texts], len(texts) - 1)) for texts in sorted(groups))
    return ",".join(_written(texts, vector) for texts, vectors in grids for vector in vectors)


def _refuse(pattern: str, what: str, todo: str) -> NoReturn:
    raise UsageError("target", f"{shown(pattern)} {what}", todo)


def _limit(pattern: str, many: int) -> None:
    if many > LIMIT:
        _refuse(pattern, f"stands for at least {many:,} names, the limit is {LIMIT:,}", "write a smaller range")


def shown(text: str) -> str:
    """Quote, escape and shorten a text from outside for a message."""
    return repr(text if len(text) <= 80 else text[:77] + "...")


def _alternatives(pattern: str) -> list[list[tuple[str, ...]]]:
    """Return the patterns between top-level commas, each as its pieces: a text, or the numbers of a bracket.

    Names are counted bracket by bracket: a few letters must not expand to millions of numbers before they are refused.
    """
    alternatives: list[list[tuple[str, ...]]] = [[]]
    before, many, end = 0, 1, 0
    for match in _PIECE.finditer(pattern):
        if match.start() != end:
            break
        end = match.end()
        if match["comma"]:
            alternatives.append([])
            before, many = before + many, 1
        elif match["text"]:
            alternatives[-1].append((match["text"],))
        else:
            numbers = _numbers(pattern, match["choices"])
            if alternatives[-1] and pattern[match.start() - 1].isdigit() | (pattern[match.start() - 1] == "]"):
                _same_as_joined(pattern, numbers)
            alternatives[-1].append(numbers)
            many *= len(numbers)
        _limit(pattern, before + many)
    if end != len(pattern):
        _refuse(pattern, "has a bracket without its brother", "write ranges as web[1-3]")
    if not all(alternatives):
        _refuse(pattern, "has a comma without a name on each side", "write names as web1,web2")
    return alternatives


def _numbers(pattern: str, choices: str) -> tuple[str, ...]:
    """Return the numbers of one pair of brackets: `1,3,5-7` or `0-9/2`, with their padding."""
    numbers: dict[str, None] = {}
    for choice in choices.split(","):
        numbers.update(dict.fromkeys(_range(pattern, choice)))
        _limit(pattern, len(numbers))
    return tuple(numbers)


def _same_as_joined(pattern: str, numbers: tuple[str, ...]) -> None:
    """Refuse a bracket that ClusterShell would expand to other names.

    ClusterShell joins digits before a bracket to its numbers, so its `2[8-12]` counts from 28 to 212. That is another
    set if the numbers go from 9 to 10, from 99 to 100, and so on.
    """
    have = set(numbers)
    over = next((each for each in numbers if set(each) == {"9"} and str(int(each) + 1) in have), None)
    if over is not None:
        what = f"goes on from {over} to {int(over) + 1} behind a digit, which is another set in ClusterShell"
        _refuse(pattern, what, "write the whole number in brackets: web[28-29,210-212], not web2[8-12]")


def _range(pattern: str, choice: str) -> Iterator[str]:
    match = _STEP.fullmatch(choice)
    if match is None:
        _refuse(pattern, f"has the range {shown(choice)}", "write such as [1-3], [1,3,5-7] or [0-9/2]")
    first, last, step = match["first"], match["last"] or match["first"], int(match["step"] or 1)
    width = len(first) if _padded(first) or _padded(last) else 0
    if width and len(last) != width:
        _refuse(pattern, f"has unequal padding in {choice}", f"write {first.zfill(len(last))}-{last}")
    if int(last) < int(first) or not step:
        _refuse(pattern, f"counts down or never, in {choice}", "write the lower number first")
    chosen = range(int(first), int(last) + 1, step)
    _limit(pattern, len(chosen))
    return (str(number).zfill(width) for number in chosen)


def _padded(number: str) -> bool:
    return len(number) > 1 and number.startswith("0")


def _grids(vectors: set[_Vector], dimensions: int) -> list[_Vector]:
    """Return the same grid points as fewer vectors: vectors that differ in one dimension only are joined."""
    for dimension in reversed(range(dimensions)):
        joined: dict[_Vector, set[str]] = {}
        for vector in vectors:
            rest = vector[:dimension] + vector[dimension + 1 :]
            joined.setdefault(rest, set()).update(vector[dimension])
        vectors = {(*rest[:dimension], frozenset(numbers), *rest[dimension:]) for rest, numbers in joined.items()}
    return sorted(vectors, key=lambda vector: [min(map(_counted, part)) for part in vector])


def _written(texts: tuple[str, ...], vector: _Vector) -> str:
    pieces = [texts[0]]
    for numbers, text in zip(vector, texts[1:], strict=True):
        written = ",".join(_runs(numbers))
        pieces += [written if len(numbers) == 1 else f"[{written}]", text]
    return "".join(pieces)


def _counted(number: str) -> tuple[int, int]:
    return len(number), int(number)


def _runs(numbers: frozenset[str]) -> Iterator[str]:
    """Yield runs of consecutive numbers, as `1-3`.

    As in NodeSet, numbers of one width form a family as soon as one of them is padded: beside `00`, `99` does not
    continue to `100`.
    """
    padded = {len(number) for number in numbers if _padded(number)}
    first = last = ""
    for number in sorted(numbers, key=_counted):
        if not first:
            first = last = number
        elif int(number) == int(last) + 1 and _family(number, padded) == _family(last, padded):
            last = number
        else:
            yield _run(first, last)
            first = last = number
    yield _run(first, last)


def _family(number: str, padded: set[int]) -> int:
    return len(number) if len(number) in padded else 0


def _run(first: str, last: str) -> str:
    return first if first == last else f"{first}-{last}"
