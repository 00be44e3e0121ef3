"""Internationalized names by IDNA 2008 (RFC 5891): `straße` is a name of its own, not `strasse`. Pure."""

import unicodedata


def to_ascii(name: str) -> str:
    """Return a name with each label as the DNS has it (A-labels); labels in ASCII stay as they are.

    Python's own codec is IDNA 2003, by which a lookup goes to another domain. Raises ValueError, with the reason.
    """
    return name if name.isascii() else ".".join(map(_label, name.split(".")))


def _label(label: str) -> str:
    if label.isascii():
        return label
    import idna  # not at the start of every command

    try:
        return idna.alabel("".join(map(_lower, label))).decode("ascii")
    except idna.IDNAError as fault:
        raise ValueError(str(fault)) from None


def _lower(sign: str) -> str:
    """A letter in lower case; not one that only looks like another, such as the Kelvin sign."""
    return sign.lower() if sign.isascii() or unicodedata.normalize("NFKC", sign) == sign else sign
