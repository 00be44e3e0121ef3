"""Certificates: how long they hold, and for which names."""

from collections.abc import Mapping
from datetime import UTC, datetime

from cryptography import x509
from cryptography.x509.oid import ExtensionOID


def values(told: Mapping[str, object], now: float) -> dict[str, object]:
    """`left` (seconds) and `names` of the first certificate of a PEM text, beside what else was told.

    Errors: ValueError where it is none.
    """
    pem = told.get("pem")
    if not isinstance(pem, str):
        return dict(told)
    try:
        certificate = x509.load_pem_x509_certificate(pem.encode("utf-8", "replace"))
        left = (certificate.not_valid_after_utc - datetime.fromtimestamp(now, UTC)).total_seconds()
        names = _names(certificate)
    except (ValueError, x509.InvalidVersion, x509.DuplicateExtension, x509.UnsupportedGeneralNameType) as fault:
        raise ValueError(f"it is no certificate ({fault})") from None
    rest = {key: value for key, value in told.items() if key != "pem"}
    return {**rest, "left": left, "names": names}


def _names(certificate: x509.Certificate) -> list[str]:
    try:
        found = certificate.extensions.get_extension_for_oid(ExtensionOID.SUBJECT_ALTERNATIVE_NAME).value
    except x509.ExtensionNotFound:
        return []
    return list(found.get_values_for_type(x509.DNSName)) if isinstance(found, x509.SubjectAlternativeName) else []
