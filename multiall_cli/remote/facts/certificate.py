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
    """Return present and pem, a list of certificates that the admin host parses.

    `trusted`: also verify the first one against the authorities of this server.
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
        raise CollectError("%s is not a regular file; name a file with certificates" % path)
    with open(path, "rb") as opened:
        content = opened.read(MAX_BYTES + 1)
    if len(content) > MAX_BYTES:
        raise CollectError("%s is larger than %d bytes; name a smaller file" % (path, MAX_BYTES))
    return content


def find_blocks(content):
    """Return the certificates in a PEM text, and nothing else: private keys are not sent. Raises CollectError."""
    found = [match.group().decode("ascii", "replace") for match in _BLOCK.finditer(content)]
    begun = len(_BEGIN.findall(content))
    if begun > len(found):
        raise CollectError(
            "%d of %d certificates are truncated or damaged; write the file again" % (begun - len(found), begun)
        )
    if not found and re.match(b"\x30[\x80-\x84]", content):
        raise CollectError("the file is binary (DER or PKCS #12), but PEM is required; convert it with `openssl x509"
                      " -inform der` or `openssl pkcs12 -nokeys`")  # fmt: skip
    if not found:
        raise CollectError("the file has no certificate; name a PEM file")
    return found


def _served_chain(address, port, name, within):
    """Return the certificates that a server sends; None if this Python sees only the first. Raises OSError."""
    import ssl

    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with connect(address, port, within) as plain:
        with context.wrap_socket(plain, server_hostname=name) as secured:
            return _chain(secured)


def _chain(secured):
    """Return the chain: public since Python 3.13, internal from 3.10 to 3.12, missing before."""
    import ssl

    if hasattr(secured, "get_unverified_chain"):
        return [ssl.DER_cert_to_PEM_cert(each).strip() for each in secured.get_unverified_chain()]
    within = getattr(getattr(secured, "_sslobj", None), "get_unverified_chain", None)
    return None if within is None else [each.public_bytes(_ENCODED).strip() for each in within() or ()]


def openssl_chain(address, port, name):
    """Return the chain, from openssl. Raises CollectError, or Unsupported if it is not installed."""
    if shutil.which("openssl") is None:
        raise Unsupported("Python before 3.10 shows only the first certificate of a chain; install openssl"
                          " there")  # fmt: skip
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
    """Return trusted, and why not. Raises OSError if it cannot be checked."""
    import ssl

    context = ssl.create_default_context()
    with connect(address, port, within) as plain:
        try:
            with context.wrap_socket(plain, server_hostname=name):
                return {"trusted": True}
        except ssl.CertificateError as fault:  # a wrong name, before Python 3.7
            return {"trusted": False, "why": {"trusted": str(fault)}}
        except ssl.SSLError as fault:
            if fault.reason != "CERTIFICATE_VERIFY_FAILED":
                raise
            return {"trusted": False, "why": {"trusted": str(fault)}}


def _verify_file(path, name):
    """Return trusted, and why not."""
    wanted = [] if not name else ["-verify_ip" if _is_address(name) else "-verify_hostname", name]
    code, _, complaints = run(["openssl", "verify", "-untrusted", path] + wanted + [path])
    if code == 0:
        return {"trusted": True}
    why = [line for line in complaints.splitlines() if line.startswith("error ")]
    words = (why or complaints.strip().splitlines() or ["openssl verify failed"])[0]
    return {"trusted": False, "why": {"trusted": words}}
