"""The clock synchronisation fact, from the kernel."""

import os

from multiall_cli.remote.facts.sources import Unsupported

_UNSYNCHRONISED = 0x40  # STA_UNSYNC


def ntp():
    """Return synchronised and error (estimated, in seconds), as the kernel has them from the NTP daemon."""
    try:
        import ctypes
    except ImportError:
        raise Unsupported("Python there has no ctypes") from None

    class Timex(ctypes.Structure):
        _fields_ = [("modes", ctypes.c_uint), ("offset", ctypes.c_long), ("freq", ctypes.c_long),
                    ("maxerror", ctypes.c_long), ("esterror", ctypes.c_long), ("status", ctypes.c_int),
                    ("rest", ctypes.c_char * 512)]  # fmt: skip

    found = Timex()
    library = ctypes.CDLL(None, use_errno=True)
    if not hasattr(library, "adjtimex"):
        raise Unsupported("the C library has no adjtimex, which only Linux has")
    if library.adjtimex(ctypes.byref(found)) < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
    return {"synchronised": not found.status & _UNSYNCHRONISED, "error": found.esterror / 1e6}
