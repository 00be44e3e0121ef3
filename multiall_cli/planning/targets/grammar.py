"""The target grammar: text → expression. `!` binds tighter than `&`, and `&` tighter than `,`."""

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import NoReturn

from multiall_cli.domain.dataclass import dataclass
from multiall_cli.domain.errors import UsageError
from multiall_cli.planning.targets.ranges import shown

DEPTH = 50
"""Maximum nesting depth of parentheses and `!`."""


@dataclass(frozen=True, slots=True)
class Names:
    """Servers by name, range or wildcard: `web1`, `web[1-3]`, `web*`."""

    pattern: str

    def __str__(self) -> str:
        return self.pattern


@dataclass(frozen=True, slots=True)
class Group:
    """A pool or a special set: `@web`, `@failed`."""

    name: str

    def __str__(self) -> str:
        return f"@{self.name}"


@dataclass(frozen=True, slots=True)
class Labelled:
    """Servers with a label, or in a state: `rack=r1`, `state=up`."""

    key: str
    value: str

    def __str__(self) -> str:
        return f"{self.key}={self.value}"


@dataclass(frozen=True, slots=True)
class Without:
    """All servers except those: `!x`."""

    inner: "Expression"


@dataclass(frozen=True, slots=True)
class Both:
    """Servers that are in all parts: `a & b`."""

    parts: tuple["Expression", ...]


@dataclass(frozen=True, slots=True)
class Either:
    """Servers that are in any part: `a, b`."""

    parts: tuple["Expression", ...]


Atom = Names | Group | Labelled
Expression = Atom | Without | Both | Either

_TOKEN = re.compile(r"\s*(?:(?P<sign>[&,()!])|(?P<atom>(?:\[[^\[\]]*\]|[^\s&,()!\[\]])+))")
_EXAMPLE = "write such as 'web[1-3] & !web2, @db'"


@lru_cache(100)
def parse(text: str) -> Expression:
    """Parse an expression. Raises UsageError, which names the first error."""
    tokens = list(_tokens(text))
    reader = _Reader(text, tokens)
    expression = reader.either(0)
    if reader.next:
        reader.refuse(f"has {shown(reader.next)} where ',' or '&' belongs")
    return expression


def atoms(text: str) -> tuple[Atom, ...]:
    """Return the names, groups and labels of an expression, in its order. Raises UsageError if it is invalid."""
    return tuple(_atoms(parse(text)))


def _atoms(expression: Expression) -> Iterator[Atom]:
    match expression:
        case Both(parts) | Either(parts):
            for part in parts:
                yield from _atoms(part)
        case Without(inner):
            yield from _atoms(inner)
        case _:
            yield expression


def _tokens(text: str) -> Iterator[str]:
    end, length = 0, len(text.rstrip())
    while end < length:
        match = _TOKEN.match(text, end)
        if match is None:
            raise UsageError("target", f"{shown(text[end:])} has a bracket without its brother", _EXAMPLE)
        end = match.end()
        yield match["sign"] or match["atom"]


class _Reader:
    """Recursive descent parser of tokens, with one method per precedence level."""

    def __init__(self, text: str, tokens: list[str]) -> None:
        self._text = text
        self._tokens = tokens
        self._at = 0

    @property
    def next(self) -> str:
        return self._tokens[self._at] if self._at < len(self._tokens) else ""

    def refuse(self, what: str, todo: str = _EXAMPLE) -> NoReturn:
        raise UsageError("target", f"{shown(self._text)} {what}", todo)

    def either(self, depth: int) -> Expression:
        parts = [self._both(depth)]
        while self._take(","):
            parts.append(self._both(depth))
        if len(parts) == 1:
            return parts[0]
        if any(isinstance(part, Without) for part in parts):
            # `@web, !web3` looks like a difference, but would be a union with nearly every server.
            self.refuse("has '!' in a list, which adds all servers but some", "write 'a & !b', or 'a, (!b)'")
        return Either(tuple(parts))

    def _both(self, depth: int) -> Expression:
        parts = [self._one(depth)]
        while self._take("&"):
            parts.append(self._one(depth))
        return parts[0] if len(parts) == 1 else Both(tuple(parts))

    def _one(self, depth: int) -> Expression:
        if depth > DEPTH:
            self.refuse(f"is nested more than {DEPTH} deep", "write it flatter")
        if self._take("!"):
            return Without(self._one(depth + 1))
        if self._take("("):
            inner = self.either(depth + 1)
            if not self._take(")"):
                self.refuse("has a '(' without its ')'")
            return Both((inner,)) if isinstance(inner, Without) else inner
        if not self.next or self.next in "&,)":
            self.refuse(f"lacks a name before {self.next!r}" if self.next else "lacks a name at its end")
        return self._atom()

    def _atom(self) -> Atom:
        word = self.next
        self._at += 1
        key, equals, value = word.partition("=")
        if word.startswith("@"):
            return Group(word[1:])
        if equals and not (key and value):
            self.refuse(f"has the label {shown(word)} without a key or a value", "write key=value")
        return Labelled(key, value) if equals else Names(word)

    def _take(self, sign: str) -> bool:
        found = self.next == sign
        self._at += found
        return found
