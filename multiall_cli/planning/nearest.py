"""The known name that a mistyped one most likely means."""

from collections.abc import Iterable
from difflib import get_close_matches


def nearest(word: str, known: Iterable[str]) -> str | None:
    """The known word most like `word`, or None where none is like it."""
    near = get_close_matches(word, list(known), n=1, cutoff=0.6)
    return near[0] if near else None


def did_you_mean(word: str, known: Iterable[str], prefix: str = "") -> str:
    """`did you mean web1? `, ready to stand before the rest of a sentence, or nothing."""
    near = nearest(word, known)
    return f"did you mean {prefix}{near}? " if near else ""
