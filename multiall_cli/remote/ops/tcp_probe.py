"""Whom this member reaches: TCP connections that are reset as soon as they tell something, all at once."""

import errno
import selectors
import socket
import struct
import time

AT_ONCE = 256  # connections that are being opened
_RESET = struct.pack("ii", 1, 0)  # SO_LINGER: on, 0 seconds: nothing of it is in the other's log
_WORDS = {
    0: "tcp",
    errno.ECONNREFUSED: "refused",
    errno.ECONNRESET: "refused",
    errno.ETIMEDOUT: "timeout",
    errno.EHOSTUNREACH: "no route",
    errno.ENETUNREACH: "no route",
}


def reach(exchange, doors, within):
    """`doors`: [[name, address, port], ...]; {"met": [[name, word, seconds], ...]} of all of which something is known.

    `within`: seconds that each may take. What this side itself could not try is left out.
    """
    todo = list(reversed(doors))
    met: "list[object]" = []
    waiting: "dict[socket.socket, tuple[str, float]]" = {}
    with selectors.DefaultSelector() as selector:
        while todo or waiting:
            while todo and len(waiting) < AT_ONCE:
                name, address, port = todo.pop()
                knocking, fault = _begin(address, port)
                if knocking is not None:
                    waiting[knocking] = (name, time.monotonic())
                    selector.register(knocking, selectors.EVENT_WRITE, knocking)
                elif fault in _WORDS:
                    met.append([name, _WORDS[fault], 0.0])
            if not waiting:
                break
            oldest = min(began for _, began in waiting.values())
            for key, _ in selector.select(max(0.0, oldest + within - time.monotonic())):
                fault = key.data.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
                _end(selector, waiting, key.data, _WORDS.get(fault), met)
            for knocking, (_, began) in list(waiting.items()):
                if time.monotonic() - began >= within:
                    _end(selector, waiting, knocking, "timeout", met)
            exchange.beat()
    return {"met": met}


def _begin(address, port):
    """(a connection that is being opened, 0); or (None, why it could not be begun): such a fault no socket tells."""
    try:
        family, kind, protocol, _, place = socket.getaddrinfo(address, port, 0, socket.SOCK_STREAM)[0]
        knocking = socket.socket(family, kind, protocol)
    except (OSError, UnicodeError, OverflowError):
        return None, None
    knocking.setblocking(False)
    knocking.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
    fault = knocking.connect_ex(place)
    if fault in (0, errno.EINPROGRESS):
        return knocking, 0
    knocking.close()
    return None, fault


def _end(selector, waiting, knocking, word, met):
    name, began = waiting.pop(knocking)
    selector.unregister(knocking)
    knocking.close()
    if word is not None:
        met.append([name, word, time.monotonic() - began])
