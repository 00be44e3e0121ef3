"""The HTTP fact: the answer to one GET."""

import re
import time

from multiall_cli.remote.facts.sources import CollectError, connect, search

MAX_BODY = 1 << 20  # bytes of a body that are searched


def http(url, match=None, within=3.0, insecure=False):
    """Return status, took (seconds) and matches, of one GET. Redirects are not followed."""
    import http.client
    import ssl

    found = re.match(r"(https?)://([^/]+)(/.*)?$", url)
    if found is None:
        raise CollectError("%r is not an http or https URL" % url)
    scheme, place, path = found.groups()
    connection = http.client.HTTPConnection(place, timeout=within)
    if scheme == "https":
        context = ssl.create_default_context()
        if insecure:
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        connection = http.client.HTTPSConnection(place, timeout=within, context=context)
    began = time.monotonic()
    try:
        connection.sock = connect(connection.host, connection.port, within)
        if scheme == "https":
            connection.sock = context.wrap_socket(connection.sock, server_hostname=connection.host)
        connection.request("GET", path or "/", headers={"User-Agent": "multiall", "Connection": "close"})
        with connection.getresponse() as answer:
            body = answer.read(MAX_BODY + 1)
    except (
        OSError,
        http.client.HTTPException,
        ssl.CertificateError,
    ) as fault:  # CertificateError is no OSError before Python 3.7
        return {"present": False, "why": str(fault) or type(fault).__name__}
    finally:
        connection.close()
    values = {"present": True, "status": answer.status, "took": time.monotonic() - began}
    if match is not None:
        values.update(search(match, body, MAX_BODY))
    return values
