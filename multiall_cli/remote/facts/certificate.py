"""The certificate fact: all certificates of a file or a TLS server, for the admin host to read."""

import os
import re
import shutil
import socket
import stat

from multiall_cli.remote.facts.sources import CollectError, Unsupported, command_error, connect, run

MAX_BYTES = 1 << 20  # bytes of a file that are read
_BEGIN = re.compile(rb"-----BEGIN (?:X509 |TRUSTED )?CERTIFICATE-----")
_BLOCK = re.compile(rb"-----BEGIN ((?:X509 |TRUSTED )?CERTIFICATE)-----[^-]*-----END \1-----")
_ENCODED = 1  # _ssl.ENCODING_PEM


def certificate(path=None, address=None, port=443, name=None, within=2.0, trusted=False):
    """pem: a list of certificates, from which the admin host reads dates and names; trusted: whether the authorities
    of this server stand for the first one.
    """
    if path is not None:
        try:
            blocks = find_blocks(_content(path))
        except FileNotFoundError:
            return {"present": False}
        values = {"present": True, "pem": blocks}
        return dict(values, **_verify_file(path, name)) if trusted else values
    try:
        sent = _served_chain(address, port, name or address, within)
    except OSError as fault:
        return {"present": False, "why": str(fault)}
    if sent is None:
        sent = openssl_chain(address, port, name or address)
    values = {"present": True, "pem": sent}
    return dict(values, **_verify_server(address, port, name or address, within)) if trusted else values


def _content(path):
    if not stat.S_ISREG(os.stat(path).st_mode):
        raise CollectError("%s is a folder or a device; name a file with certificates" % path)
    with open(path, "rb") as opened:
        content = opened.read(MAX_BYTES + 1)
    if len(content) > MAX_BYTES:
        raise CollectError("%s is larger than %d bytes; name a smaller file" % (path, MAX_BYTES))
    return content


def find_blocks(content):
    """The certificates of a PEM text and nothing else of it: a private key beside them stays here. Errors: Trouble."""
    found = [match.group().decode("ascii", "replace") for match in _BLOCK.finditer(content)]
    begun = len(_BEGIN.findall(content))
    if begun > len(found):
        raise CollectError(
            "%d of its %d certificates are cut off or garbled; write it anew" % (begun - len(found), begun)
        )
    if not found and re.match(b"\x30[\x80-\x84]", content):
        raise CollectError("it is binary (DER or PKCS #12), and PEM is read; convert it with `openssl x509 -inform der`"
                      " or `openssl pkcs12 -nokeys`")  # fmt: skip
    if not found:
        raise CollectError("there is no certificate in it; name a file in PEM form")
    return found


def _served_chain(address, port, name, within):
    """All certificates that a place sends; None where this Python cannot tell more than the first. Errors: OSError."""
    import ssl

    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with connect(address, port, within) as plain:
        with context.wrap_socket(plain, server_hostname=name) as secured:
            return _chain(secured)


def _chain(secured):
    """Python 3.13 tells it itself, 3.10 to 3.12 within; older ones do not."""
    import ssl

    if hasattr(secured, "get_unverified_chain"):
        return [ssl.DER_cert_to_PEM_cert(each).strip() for each in secured.get_unverified_chain()]
    within = getattr(getattr(secured, "_sslobj", None), "get_unverified_chain", None)
    return None if within is None else [each.public_bytes(_ENCODED).strip() for each in within() or ()]


def openssl_chain(address, port, name):
    """The same, asked with openssl. Errors: Trouble, Unsupported where it is missing."""
    if shutil.which("openssl") is None:
        raise Unsupported("its Python is older than 3.10 and sees the first certificate of a chain only; install"
                          " openssl there")  # fmt: skip
    place = "[%s]:%d" % (address, port) if ":" in address else "%s:%d" % (address, port)
    argv = ["openssl", "s_client", "-connect", place, "-showcerts"]
    code, values, complaints = run(argv + ([] if _is_address(name) else ["-servername", name]), MAX_BYTES)
    if not _BEGIN.search(values.encode("utf-8", "replace")):
        raise command_error(argv[:2], code, complaints)
    return find_blocks(values.encode("utf-8", "replace"))


def _is_address(name):
    for family in (socket.AF_INET, socket.AF_INET6):
        try:
            socket.inet_pton(family, name)
        except (OSError, ValueError):
            continue
        return True
    return False


def _verify_server(address, port, name, within):
    """Errors: OSError where that is not known."""
    import ssl

    context = ssl.create_default_context()
    with connect(address, port, within) as plain:
        try:
            with context.wrap_socket(plain, server_hostname=name):
                return {"trusted": True}
        except ssl.CertificateError as fault:  # of the name, where Python is older than 3.7
            return {"trusted": False, "why": {"trusted": str(fault)}}
        except ssl.SSLError as fault:
            if fault.reason != "CERTIFICATE_VERIFY_FAILED":
                raise
            return {"trusted": False, "why": {"trusted": str(fault)}}


def _verify_file(path, name):
    wanted = [] if not name else ["-verify_ip" if _is_address(name) else "-verify_hostname", name]
    code, _, complaints = run(["openssl", "verify", "-untrusted", path] + wanted + [path])
    if code == 0:
        return {"trusted": True}
    why = [line for line in complaints.splitlines() if line.startswith("error ")]
    words = (why or complaints.strip().splitlines() or ["openssl verify says no"])[0]
    return {"trusted": False, "why": {"trusted": words}}
