"""Internationalized names by IDNA 2008 (RFC 5891), where `straße` and `strasse` are different names. Pure."""

import unicodedata


def to_ascii(name: str) -> str:
    """Return a name with each label in its DNS form (A-labels). ASCII labels do not change.

    Python's own codec implements IDNA 2003, which maps some names to another domain. Raises ValueError, with the
    reason.
    """
    return name if name.isascii() else ".".join(map(_label, name.split(".")))


def _label(label: str) -> str:
    if label.isascii():
        return label
    import idna  # deferred: not every command needs it

    try:
        return idna.alabel("".join(map(_lower, label))).decode("ascii")
    except idna.IDNAError as fault:
        raise ValueError(str(fault)) from None


def _lower(sign: str) -> str:
    """Return a letter in lower case, except a letter that only looks like another, for example the Kelvin sign."""
    return sign.lower() if sign.isascii() or unicodedata.normalize("NFKC", sign) == sign else sign
