"""Probes TCP endpoints from this member, all at once. Connections are reset as soon as they open."""

import errno
import selectors
import socket
import struct
import time

MAX_OPEN = 256  # simultaneous attempts
_RESET = struct.pack("ii", 1, 0)  # SO_LINGER on, 0 seconds: close with a reset, so that the server logs nothing
_WORDS = {
    0: "tcp",
    errno.ECONNREFUSED: "refused",
    errno.ECONNRESET: "refused",
    errno.ETIMEDOUT: "timeout",
    errno.EHOSTUNREACH: "no route",
    errno.ENETUNREACH: "no route",
}


def probe_tcp(request, endpoints, within):
    """Try TCP connections to `endpoints`, [[name, address, port], ...], all at once; `within`: seconds for each.

    Return {"results": [[name, word, seconds], ...]}. Endpoints that this host could not try itself are left out.
    """
    todo = list(reversed(endpoints))
    results: "list[object]" = []
    waiting: "dict[socket.socket, tuple[str, float]]" = {}
    with selectors.DefaultSelector() as selector:
        while todo or waiting:
            while todo and len(waiting) < MAX_OPEN:
                name, address, port = todo.pop()
                connecting, fault = _start(address, port)
                if connecting is not None:
                    waiting[connecting] = (name, time.monotonic())
                    selector.register(connecting, selectors.EVENT_WRITE, connecting)
                elif fault in _WORDS:
                    results.append([name, _WORDS[fault], 0.0])
            if not waiting:
                break
            oldest = min(began for _, began in waiting.values())
            for key, _ in selector.select(max(0.0, oldest + within - time.monotonic())):
                fault = key.data.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
                _finish(selector, waiting, key.data, _WORDS.get(fault), results)
            for connecting, (_, began) in list(waiting.items()):
                if time.monotonic() - began >= within:
                    _finish(selector, waiting, connecting, "timeout", results)
            request.heartbeat()
    return {"results": results}


def _start(address, port):
    """Return (connecting socket, 0), or (None, errno) if the attempt failed at once; errno None: not tried."""
    try:
        family, kind, protocol, _, place = socket.getaddrinfo(address, port, 0, socket.SOCK_STREAM)[0]
        connecting = socket.socket(family, kind, protocol)
    except (OSError, UnicodeError, OverflowError):
        return None, None
    connecting.setblocking(False)
    connecting.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
    fault = connecting.connect_ex(place)
    if fault in (0, errno.EINPROGRESS):
        return connecting, 0
    connecting.close()
    return None, fault


def _finish(selector, waiting, connecting, word, results):
    name, began = waiting.pop(connecting)
    selector.unregister(connecting)
    connecting.close()
    if word is not None:
        results.append([name, word, time.monotonic() - began])
