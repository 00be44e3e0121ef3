"""Documents as a bad day or a bad person leaves them: valid ones, changed where it hurts."""

import json
from collections.abc import Callable, Sequence
from copy import deepcopy
from typing import Any

from hypothesis import strategies as st

SIGNS = (
    "\0", "\x1b[31m", "\x07", "\x7f", "\x85", "\x9b2J", "\u2028", "\u202e", "\u200b", "\ufeff", "\ufffe", "\U000e0041",
    "\t", "\r", "\r\n", "\n", "é", "漢", "²", "٣", "\U0001f980", "'", '"', "`", "\\", "%", "$(x)", "#", ";",
)  # fmt: skip
"""What terminals obey, what readers do not see, and what quotes, escapes and ends lines."""

YAML = (
    "&a ", "*a", "*b", "<<: *a", "!!python/object/apply:os.system [x]", "!vault x", "!!binary x", "!", "? ", "- ", ": ",
    "{", "}", "[", "]", ",", "|", ">-", "---", "...", "%YAML 9.9", "~", "null", "{}", "[]", "''", "no", "yes", "0o7",
    "1e999", ".nan", "-.inf", "9" * 30, "-1", "0x", "1:30", "2001-01-01", "[" * 50, "{a: " * 45, "- " * 60,
    "&a [*a]", "&a {<<: *a}", "[[1, 2], {a: b}]", "{? [x] : y}",
)  # fmt: skip
"""What YAML means more by than its letters."""

RANGES = (
    "[1-3]", "[1-999999999]", "[01-1]", "[3-1]", "[1-9/0]", "[]", "[a-b]", "[", "]", "x[0-9][0-9]", "a[1-3],b", ",",
    "!", "&", "@", "@web", "@failed", "=", "state=up", "*", "?", "(", ")", "!!!x", "a & !b", "a, !b", "(" * 60,
    "[1-9999][1-9999]", "web*", "-oProxyCommand=x", "../..", "/", "~nobody/x", "${env:X}", "${cmd:x}", "100%", "7d",
)  # fmt: skip
"""What names, ranges, targets and paths mean more by than their letters."""

Edit = tuple[int, int, int]


def _lines(act: Callable[[list[str], int, int], None]) -> Callable[[str, int, int, str], str]:
    def edit(text: str, place: int, more: int, word: str) -> str:
        lines = text.split("\n")
        act(lines, place % len(lines), more)
        return "\n".join(lines)

    return edit


def _drop(lines: list[str], at: int, more: int) -> None:
    del lines[at : at + 1 + more % 3]


def _twice(lines: list[str], at: int, more: int) -> None:
    lines[at:at] = lines[at : at + 1 + more % 3]


def _swap(lines: list[str], at: int, more: int) -> None:
    other = more % len(lines)
    lines[at], lines[other] = lines[other], lines[at]


def _indent(lines: list[str], at: int, more: int) -> None:
    lines[at] = (" " * (more % 7) + "\t" * (more % 11 == 0)) + lines[at].lstrip(" " * (more % 2))


def _insert(text: str, place: int, more: int, word: str) -> str:
    at = place % (len(text) + 1)
    return text[:at] + word + text[at:]


def _value(text: str, place: int, more: int, word: str) -> str:
    """Another value for the key of a line."""
    lines = text.split("\n")
    at = place % len(lines)
    head, sign, _ = lines[at].partition((": ", "=", " ")[more % 3])
    lines[at] = head + (sign or " ") + word
    return "\n".join(lines)


def _cut(text: str, place: int, more: int, word: str) -> str:
    return text[: place % (len(text) + 1)]


def _hole(text: str, place: int, more: int, word: str) -> str:
    at = place % (len(text) + 1)
    return text[:at] + text[at + more % 40 :]


_EDITS = (_insert, _insert, _value, _value, _hole, _cut, *map(_lines, (_drop, _twice, _swap, _indent)))

_ENCODED: tuple[Callable[[str, int], bytes], ...] = (
    *[lambda text, at: text.encode()] * 12,
    lambda text, at: text.encode("utf-8-sig"),
    lambda text, at: text.replace("\n", "\r\n").encode(),
    lambda text, at: text.replace("\n", "\r").encode(),
    lambda text, at: text.encode("utf-16"),
    lambda text, at: text.encode("latin-1", "replace"),
    lambda text, at: text.encode()[: at % 997] + b"\xff\xc0" + text.encode()[at % 997 :],
    lambda text, at: b"\xef\xbb\xbf" + text.encode()[: at % 997] + b"\xed\xa0\x80" + text.encode()[at % 997 :],
)

_numbers = st.integers(0, (1 << 16) - 1)


def mutated(bases: Sequence[str], words: Sequence[str], most: int = 6) -> st.SearchStrategy[bytes]:
    """One of the texts with up to `most` changes: words put in, values changed, lines dropped, doubled and moved."""
    edits = st.lists(st.tuples(_numbers, _numbers, _numbers, st.sampled_from(words)), max_size=most)

    def make(base: str, chosen: list[tuple[int, int, int, str]], how: int, at: int) -> bytes:
        for kind, place, more, word in chosen:
            base = _EDITS[kind % len(_EDITS)](base, place, more, word)
        return _ENCODED[how % len(_ENCODED)](base, at)

    return st.builds(make, st.sampled_from(bases), edits, _numbers, _numbers)


def _places(value: Any) -> list[tuple[Any, Any]]:
    """Each (container, key) below a value."""
    found: list[tuple[Any, Any]] = []
    waiting = [value]
    while waiting:
        inner = waiting.pop()
        keys = list(inner) if isinstance(inner, dict) else range(len(inner)) if isinstance(inner, list) else ()
        found += [(inner, key) for key in keys]
        waiting += [inner[key] for key in keys]
    return found


def _changed(tree: Any, kind: int, place: int, value: Any) -> None:
    """One value of a tree replaced, dropped, renamed, wrapped, or put where another one is."""
    places = _places(tree)
    if not places:
        return
    holder, key = places[place % len(places)]
    if kind == 0:
        holder[key] = value
    elif kind == 1:
        del holder[key]
    elif kind == 2 and isinstance(holder, dict):
        holder[value if isinstance(value, str) else f"{key}x"] = holder.pop(key)
    elif kind == 3:
        holder[key] = [holder[key], value]
    else:
        other, name = places[(place * 7 + kind) % len(places)]
        holder[key] = deepcopy(other[name])


def reshaped(bases: Sequence[Any], values: st.SearchStrategy[Any], most: int = 4) -> st.SearchStrategy[Any]:
    """One of the trees of lists and dicts with up to `most` values changed in kind, dropped, renamed or wrapped."""

    def make(base: Any, changes: list[tuple[int, int, Any]]) -> Any:
        tree = deepcopy(base)
        for kind, place, value in changes:
            _changed(tree, kind, place, deepcopy(value))
        return tree

    changes = st.lists(st.tuples(st.integers(0, 4), _numbers, values), max_size=most)
    return st.builds(make, st.sampled_from(bases), changes)


def as_text(tree: Any) -> bytes:
    """As JSON, which is YAML too; numbers and words that only JSON's own readers know are among it."""
    return json.dumps(tree, ensure_ascii=False).encode("utf-8", "surrogatepass")


nasty = st.one_of(
    st.sampled_from(
        [None, True, False, 0, -1, 1.5, 65536, 10**18, 10**400, -(10**400), float("inf"), float("nan"), "", [], {}]
    ),
    st.sampled_from([*RANGES, *SIGNS, *YAML]),
    st.text(max_size=8),
    st.sampled_from([["a", "b"], {"a": "b"}, [[]], [{}], "x" * 5000, list(range(50))]),
)
"""Values that fit nowhere, or nearly."""
