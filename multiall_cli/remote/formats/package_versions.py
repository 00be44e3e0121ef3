"""Which of two versions is the newer one, as Debian and as rpm have it. Pure."""

import re

_DIGITS = "0123456789"


def of_debian(one, other):
    """-1, 0 or 1: as `dpkg --compare-versions` has it (policy 5.6.12)."""
    return _first([_compared(*each) for each in zip(_debian(one), _debian(other))])


def _debian(version):
    epoch, colon, rest = version.strip().partition(":")
    if not colon:
        epoch, rest = "0", epoch
    upstream, dash, revision = rest.rpartition("-")
    return (epoch or "0", upstream, revision) if dash else (epoch or "0", rest, "0")


def _first(signs):
    return next((each for each in signs if each), 0)


def _order(letter):
    """~ before the end, the end before letters, letters before the rest."""
    return -1 if letter == "~" else 0 if not letter else ord(letter) if letter.isalpha() else ord(letter) + 256


def _compared(one, other):
    while one or other:
        words, others = _words(one), _words(other)
        for at in range(max(len(words), len(others))):
            sign = _sign(_order(words[at : at + 1]), _order(others[at : at + 1]))
            if sign:
                return sign
        one, other = one[len(words) :], other[len(others) :]
        numbers, digits = _number(one), _number(other)
        sign = _sign(int(numbers or "0"), int(digits or "0"))
        if sign:
            return sign
        one, other = one[len(numbers) :], other[len(digits) :]
    return 0


def _words(text):
    return text[: next((at for at, letter in enumerate(text) if letter in _DIGITS), len(text))]


def _number(text):
    return text[: next((at for at, letter in enumerate(text) if letter not in _DIGITS), len(text))]


def _sign(one, other):
    return (one > other) - (one < other)


def of_rpm(one, other):
    """-1, 0 or 1 of [epoch:]version[-release]; a release is compared where both have one."""
    epoch, version, release = _rpm(one)
    epoch2, version2, release2 = _rpm(other)
    signs = [_sign(int(epoch), int(epoch2)), _rpm_compared(version, version2)]
    return _first(signs + ([_rpm_compared(release, release2)] if release and release2 else []))


def _rpm(version):
    epoch, colon, rest = version.strip().partition(":")
    if not colon:
        epoch, rest = "0", epoch
    version, dash, release = rest.rpartition("-")
    if not epoch.isdigit():
        raise ValueError("%r is no version" % (version,))
    return (epoch, version, release) if dash else (epoch, rest, "")


def _rpm_compared(one, other):
    """Pieces of letters and of digits; ~ sorts before the end, ^ behind it but before any more piece."""
    first, second = (re.findall(r"[0-9]+|[A-Za-z]+|~|\^", each) for each in (one, other))
    for at in range(max(len(first), len(second))):
        mine, theirs = (each[at] if at < len(each) else "" for each in (first, second))
        if mine == theirs:
            continue
        ranks = [_rank(mine), _rank(theirs)]
        if ranks[0] != ranks[1]:
            return _sign(*ranks)
        sign = _sign(int(mine), int(theirs)) if mine.isdigit() else _sign(mine, theirs)
        if sign:
            return sign
    return 0


def _rank(piece):
    return {"~": 0, "": 1, "^": 2}.get(piece, 4 if piece.isdigit() else 3)
