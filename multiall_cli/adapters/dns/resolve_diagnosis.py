"""Diagnoses a name without an address: asks the name servers, since the C library gives no reason."""

import socket

from multiall_cli.domain.answer import Finding, Severity


def diagnose(server: str, address: str) -> Finding | None:
    """Return the problem with a server's name, or None if it has an address."""
    try:
        socket.getaddrinfo(address, None, type=socket.SOCK_STREAM)
    except socket.gaierror as fault:
        return Finding(server, Severity.ILL, _why(address, fault), f"fix the name, or give {server} an `address:`")
    return None


def _why(address: str, fault: socket.gaierror) -> str:
    import dns.exception
    import dns.resolver

    try:
        dns.resolver.resolve(address, "A", lifetime=3, search=True)
    except dns.resolver.NXDOMAIN:
        return f"the name {address} does not exist (NXDOMAIN)"
    except dns.resolver.NoAnswer:
        return f"the name {address} exists but has no address"
    except dns.resolver.NoNameservers:
        return f"no name server answers for {address}"
    except dns.exception.DNSException as trouble:
        return f"looking up the name {address} failed ({type(trouble).__name__})"
    return f"the name servers know {address}, but this machine's C library does not ({fault.strerror})"
