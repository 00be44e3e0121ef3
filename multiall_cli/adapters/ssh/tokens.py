"""Tokens (`%h`) and environment variables (`${HOME}`) in the values of an ssh config."""

import hashlib
import os
import pwd
import re
import socket
from collections.abc import Mapping
from pathlib import Path

from multiall_cli.domain.errors import UsageError

_TOKEN = re.compile(r"%(.?)", re.DOTALL)
_VARIABLE = re.compile(r"\$\{([^}]*)\}")


def tokens(alias: str, host: str, port: int, user: str, key_alias: str = "", jump: str = "") -> dict[str, str]:
    """Return every token that a value may contain. `alias`: the host's name in the config; `host`: its HostName."""
    here = socket.gethostname()
    local = pwd.getpwuid(os.getuid())
    whole = f"{here}{host}{port}{user}{jump}".encode("utf-8", "surrogateescape")
    return {
        "h": host,
        "n": alias,
        "p": str(port),
        "r": user,
        "k": key_alias or alias,
        "u": local.pw_name,
        "i": str(local.pw_uid),
        "d": str(Path.home()),
        "l": here,
        "L": here.partition(".")[0],
        "j": jump,
        "C": hashlib.sha1(whole).hexdigest(),  # noqa: S324  (a name that OpenSSH defines so, no protection)
    }


def expand(text: str, known: Mapping[str, str], where: str, *, environment: bool = False) -> str:
    """Return the text with its tokens and, if allowed, its variables expanded. Raises UsageError."""

    def token(found: re.Match[str]) -> str:
        sign = found[1]
        if sign == "%":
            return "%"
        if sign not in known:
            raise UsageError(where, f"ssh has no token %{sign} there", "fix that line of the ssh config")
        return known[sign]

    def variable(found: re.Match[str]) -> str:
        if found[1] not in os.environ:
            raise UsageError(where, f"the variable ${{{found[1]}}} is not set", "set it, or fix the ssh config")
        return os.environ[found[1]]

    if not environment:
        return _TOKEN.sub(token, text)
    parts = _VARIABLE.split(text)  # values of variables are not expanded again
    return "".join(
        variable(found) if at % 2 and (found := _VARIABLE.match(f"${{{part}}}")) else _TOKEN.sub(token, part)
        for at, part in enumerate(parts)
    )


def at_home(file: str, where: str) -> Path:
    """Return a path with `~` expanded. Raises UsageError if there is no such user."""
    try:
        return Path(file).expanduser()
    except RuntimeError:
        raise UsageError(where, f"{file}: there is no such user", "fix that line of the ssh config") from None


def only(known: Mapping[str, str], signs: str) -> dict[str, str]:
    return {sign: known[sign] for sign in signs}
