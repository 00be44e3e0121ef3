"""Comparison of package versions, by the rules of Debian and of rpm."""

import re

_DIGITS = "0123456789"


def compare_debian(one, other):
    """Return -1, 0 or 1, like `dpkg --compare-versions` (Debian policy 5.6.12)."""
    return _first_difference([_compare_part(*each) for each in zip(_split_debian(one), _split_debian(other))])


def _split_debian(version):
    epoch, colon, rest = version.strip().partition(":")
    if not colon:
        epoch, rest = "0", epoch
    upstream, dash, revision = rest.rpartition("-")
    return (epoch or "0", upstream, revision) if dash else (epoch or "0", rest, "0")


def _first_difference(orders):
    return next((each for each in orders if each), 0)


def _letter_order(letter):
    """Sort ~ before the end of the text, the end before letters, letters before other characters."""
    return -1 if letter == "~" else 0 if not letter else ord(letter) if letter.isalpha() else ord(letter) + 256


def _compare_part(one, other):
    while one or other:
        words, others = _leading_text(one), _leading_text(other)
        for at in range(max(len(words), len(others))):
            order = _compare(_letter_order(words[at : at + 1]), _letter_order(others[at : at + 1]))
            if order:
                return order
        one, other = one[len(words) :], other[len(others) :]
        numbers, digits = _leading_digits(one), _leading_digits(other)
        order = _compare(int(numbers or "0"), int(digits or "0"))
        if order:
            return order
        one, other = one[len(numbers) :], other[len(digits) :]
    return 0


def _leading_text(text):
    return text[: next((at for at, letter in enumerate(text) if letter in _DIGITS), len(text))]


def _leading_digits(text):
    return text[: next((at for at, letter in enumerate(text) if letter not in _DIGITS), len(text))]


def _compare(one, other):
    return (one > other) - (one < other)


def compare_rpm(one, other):
    """Return -1, 0 or 1 of two [epoch:]version[-release]; releases count only if both have one."""
    epoch, version, release = _split_rpm(one)
    epoch2, version2, release2 = _split_rpm(other)
    orders = [_compare(int(epoch), int(epoch2)), _compare_rpm_part(version, version2)]
    return _first_difference(orders + ([_compare_rpm_part(release, release2)] if release and release2 else []))


def _split_rpm(version):
    epoch, colon, rest = version.strip().partition(":")
    if not colon:
        epoch, rest = "0", epoch
    version, dash, release = rest.rpartition("-")
    if not epoch.isdigit():
        raise ValueError("%r is not a version" % (version,))
    return (epoch, version, release) if dash else (epoch, rest, "")


def _compare_rpm_part(one, other):
    """Compare runs of letters and digits; ~ sorts before the end, ^ after it but before any run."""
    first, second = (re.findall(r"[0-9]+|[A-Za-z]+|~|\^", each) for each in (one, other))
    for at in range(max(len(first), len(second))):
        mine, theirs = (each[at] if at < len(each) else "" for each in (first, second))
        if mine == theirs:
            continue
        ranks = [_rank(mine), _rank(theirs)]
        if ranks[0] != ranks[1]:
            return _compare(*ranks)
        order = _compare(int(mine), int(theirs)) if mine.isdigit() else _compare(mine, theirs)
        if order:
            return order
    return 0


def _rank(piece):
    return {"~": 0, "": 1, "^": 2}.get(piece, 4 if piece.isdigit() else 3)
