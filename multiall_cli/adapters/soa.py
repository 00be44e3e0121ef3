"""The serial of a zone at a server: one query of our own, all that a run needs where nothing is to be done."""

import secrets
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress

from multiall_cli.domain.errors import MemberFault, Unreachable
from multiall_cli.domain.zones import NameServer, Zone
from multiall_cli.remote.gauge_dns import KINDS, code_word, question, read_answer

AGAIN = 0.4  # seconds after which a query that no one answered is asked again
AUTHORITATIVE = 4  # the bit of an answer's third byte (RFC 1035, 4.1.1)
Network = Callable[[], AbstractContextManager[None]]
"""Within which sockets are made."""


class Serials:
    """`timeout`: seconds until a silent server is given up. dnspython, which does all the rest, starts slowly."""

    def __init__(self, timeout: float, network: Network) -> None:
        self._timeout = timeout
        self._network = network

    def serial(self, zone: Zone, server: NameServer) -> int:
        """Errors: Unreachable, MemberFault (it does not hold the zone)."""
        asked = question(secrets.randbits(16), zone.name, KINDS["SOA"])
        with reaching(server, self._timeout, self._network) as address:
            answer = self._exchanged(address, server.port, asked)
            try:
                code, found = read_answer(answer, asked, KINDS["SOA"])
            except ValueError as fault:
                raise MemberFault(server.name, str(fault), "look whether it is a name server") from None
        if found and answer[2] & AUTHORITATIVE:
            return int(found[0].split()[2])
        why = f" ({code_word(code)})" if code else ""
        todo = "add the zone there, or take the server out of `zones:`"
        raise MemberFault(server.name, f"does not hold the zone {zone.shown}{why}", todo)

    def _exchanged(self, address: str, port: int, asked: bytes) -> bytes:
        until = time.monotonic() + self._timeout
        with asking(address, port) as opened:
            while (left := until - time.monotonic()) > 0:
                opened.send(asked)
                opened.settimeout(min(left, AGAIN))
                with suppress(TimeoutError):
                    while (answer := opened.recv(65535))[:2] != asked[:2]:
                        pass  # to an earlier question
                    return answer
        raise TimeoutError


def asking(address: str, port: int) -> socket.socket:
    """A socket for queries to one server: it is connected, so that a refusal is heard at once."""
    opened = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_DGRAM)
    try:
        opened.connect((address, port))
    except OSError:
        opened.close()
        raise
    return opened


@contextmanager
def reaching(server: NameServer, timeout: float, network: Network) -> Iterator[str]:
    """Gives a server's address, within the network that leads to it. Errors: Unreachable, for what breaks meanwhile."""
    try:
        with network():
            yield str(socket.getaddrinfo(server.address, server.port, type=socket.SOCK_DGRAM)[0][4][0])
    except socket.gaierror as fault:
        raise Unreachable(server.name, f"has no address ({fault.strerror})", "mend its address", "name") from None
    except TimeoutError:
        what = f"did not answer within {timeout:g} s on port {server.port}"
        raise Unreachable(server.name, what, "look whether named runs there", "timeout") from None
    except ConnectionRefusedError:
        what = f"nothing answers on port {server.port}"
        raise Unreachable(server.name, what, "start named there, or mend its port", "refused") from None
    except (OSError, EOFError) as fault:
        raise Unreachable(server.name, f"the connection broke ({fault})", "run it again", "away") from None
