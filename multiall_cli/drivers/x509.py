"""X.509 certificates: validity and names."""

import base64
import binascii
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from cryptography import x509
from cryptography.x509.oid import ExtensionOID

from multiall_cli.domain.dataclass import dataclass
from multiall_cli.planning.value_comparison import address_of

_BLOCK = re.compile(r"-----BEGIN [A-Z0-9 ]*CERTIFICATE-----([^-]*)-----END [A-Z0-9 ]*CERTIFICATE-----\s*")
_ERRORS = (ValueError, TypeError, x509.InvalidVersion, x509.DuplicateExtension, x509.UnsupportedGeneralNameType)
MAX_SUBJECT = 100  # characters of a subject that are shown


@dataclass(frozen=True, slots=True)
class _Certificate:
    """A parsed certificate. `place`: its number in the chain, and its subject."""

    place: str
    begins: datetime
    ends: datetime
    names: tuple[str, ...]


def values(fact: Mapping[str, object], now: float) -> dict[str, object]:
    """Return the values of a chain of PEM certificates, and those that came with it.

    `left`: seconds until the first one expires; `started`: whether all are valid already; `names`: of the first one.
    Raises ValueError if a certificate cannot be parsed.
    """
    pem = fact.get("pem")
    if pem is None:
        return dict(fact)
    found = _parse_blocks(pem if isinstance(pem, list) else [pem])
    first_to_end, last_to_begin = min(found, key=lambda each: each.ends), max(found, key=lambda each: each.begins)
    moment = datetime.fromtimestamp(now, UTC)
    why = {**_reasons(fact.get("why"))}
    if len(found) > 1:
        why["left"] = first_to_end.place
    started = last_to_begin.begins <= moment
    if not started:
        which = f"{last_to_begin.place} " if len(found) > 1 else ""
        why["started"] = f"{which}is valid from {last_to_begin.begins:%Y-%m-%d %H:%M} UTC"
    rest = {key: value for key, value in fact.items() if key not in ("pem", "why")}
    left = (first_to_end.ends - moment).total_seconds()
    return {**rest, "left": left, "started": started, "names": list(found[0].names), **({"why": why} if why else {})}


def _reasons(why: object) -> Mapping[str, object]:
    """Return value → reason."""
    return why if isinstance(why, dict) else {}


def _parse_blocks(blocks: Sequence[object]) -> list[_Certificate]:
    """Parse all certificates. Raises ValueError, which names the invalid one."""
    if not blocks:
        raise ValueError("there is no certificate in the answer")
    found = []
    for number, block in enumerate(blocks, 1):
        place = f"certificate {number} of {len(blocks)}"
        try:
            found.append(_parse_block(place, str(block)))
        except _ERRORS as fault:
            which = f"{place}: " if len(blocks) > 1 else ""
            raise ValueError(f"{which}the certificate is invalid ({fault})") from None
    return found


def _parse_block(place: str, block: str) -> _Certificate:
    matched = _BLOCK.fullmatch(block.strip())
    if matched is None:
        raise ValueError("not PEM")
    try:
        der = base64.b64decode("".join(matched[1].split()), validate=True)
    except binascii.Error as fault:
        raise ValueError(str(fault)) from None
    made = x509.load_der_x509_certificate(der[: _first_element_length(der)])
    subject = made.subject.rfc4514_string()[:MAX_SUBJECT]
    place = f"{place}, {subject}" if subject else place
    return _Certificate(place, made.not_valid_before_utc, made.not_valid_after_utc, _subject_names(made))


def _first_element_length(der: bytes) -> int:
    """Return the length of the first DER element: TRUSTED CERTIFICATE of openssl has another one behind it."""
    if len(der) < 2 or der[1] < 0x80:
        return len(der)
    many = der[1] & 0x7F
    return 2 + many + int.from_bytes(der[2 : 2 + many], "big")


def _subject_names(certificate: x509.Certificate) -> tuple[str, ...]:
    """Return the names that clients check (RFC 6125): DNS names and addresses, not the subject.

    A DNS name that looks like an address matches no host: clients compare addresses only with addresses.
    """
    try:
        found = certificate.extensions.get_extension_for_oid(ExtensionOID.SUBJECT_ALTERNATIVE_NAME).value
    except x509.ExtensionNotFound:
        return ()
    if not isinstance(found, x509.SubjectAlternativeName):
        return ()
    addresses = found.get_values_for_type(x509.IPAddress)
    names = [each for each in found.get_values_for_type(x509.DNSName) if address_of(each) is None]
    return (*names, *map(str, addresses))
