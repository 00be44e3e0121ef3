"""Suggestions for mistyped names."""

from collections.abc import Iterable
from difflib import get_close_matches


def nearest(word: str, known: Iterable[str]) -> str | None:
    """Return the known word nearest to `word`, or None if none is similar."""
    near = get_close_matches(word, list(known), n=1, cutoff=0.6)
    return near[0] if near else None


def did_you_mean(word: str, known: Iterable[str], prefix: str = "") -> str:
    """Return `did you mean web1? `, to put before the rest of a sentence, or ''."""
    near = nearest(word, known)
    return f"did you mean {prefix}{near}? " if near else ""
