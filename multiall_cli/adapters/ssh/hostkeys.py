"""Known host keys: reads, matches and writes OpenSSH's known_hosts format."""

import base64
import binascii
import errno
import fcntl
import fnmatch
import hashlib
import hmac
import os
import re
import stat
import tempfile
import threading
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Protocol

from multiall_cli.adapters.ssh.certificates import SUFFIX, fault_of, of_blob
from multiall_cli.adapters.ssh.route import Route
from multiall_cli.domain.dataclass import dataclass
from multiall_cli.domain.errors import Unreachable, UsageError

REVOKED = "@revoked"
AUTHORITY = "@cert-authority"
MARKERS = ("", AUTHORITY, REVOKED)
_BLANKS = re.compile("[ \t]+")


@dataclass(frozen=True, slots=True)
class HostKey:
    """A host key, offered or known; `name` as in known_hosts (`address` or `[address]:port`)."""

    name: str
    kind: str
    blob: bytes
    certificate: bytes = b""
    """The host's certificate, which contains the key above."""

    @property
    def fingerprint(self) -> str:
        """SHA256:… as `ssh-keygen -l` prints it."""
        return "SHA256:" + base64.b64encode(hashlib.sha256(self.blob).digest()).decode().rstrip("=")

    @property
    def line(self) -> str:
        return f"{self.name} {self.kind} {base64.b64encode(self.blob).decode()}"


@dataclass(frozen=True, slots=True)
class KnownHostsLine:
    """One entry of a known_hosts file."""

    hosts: str
    kind: str
    blob: bytes
    marker: str
    where: str

    def matches(self, name: str) -> bool:
        """Return whether the entry is for this name: by name, by pattern (`*`, `?`, `!not`) or by salted hash."""
        if self.hosts.startswith("|"):
            return _hash_fits(self.hosts, name)
        meant = False
        for pattern in self.hosts.split(","):
            if pattern.startswith("!"):
                if _fits(pattern[1:], name):
                    return False
            else:
                meant = meant or _fits(pattern, name)
        return meant


def _fits(pattern: str, name: str) -> bool:
    if "*" not in pattern and "?" not in pattern:
        return pattern.lower() == name.lower()
    # Square brackets are part of `[address]:port`, not a character class.
    return fnmatch.fnmatchcase(name.lower(), pattern.lower().replace("[", "[[]"))


def _hash_fits(pattern: str, name: str) -> bool:
    if not pattern.startswith("|1|"):
        return False
    try:
        salt, digest = (base64.b64decode(part) for part in pattern[3:].split("|"))
    except (ValueError, binascii.Error):
        return False
    # ssh hashes names in lower case; an alias (HostKeyAlias) is hashed as written.
    return digest in (
        hmac.digest(salt, each.encode("utf-8", "surrogateescape"), "sha1") for each in (name.lower(), name)
    )


def parse(text: str, where: str) -> Iterator[KnownHostsLine]:
    """Yield the entries of a known_hosts file; other lines are skipped, as OpenSSH does.

    Only line feeds end a line, and only blanks and tabs separate words: a comment with a form feed or U+2028 is still
    one comment. Revocations are always yielded, with an empty blob if the key cannot be read.
    """
    for number, line in enumerate(text.split("\n"), 1):
        words = _BLANKS.split(line.partition("\0")[0].rstrip("\r").strip(" \t"))
        marker = words.pop(0) if words[0].startswith("@") else ""
        if marker not in MARKERS or len(words) < 2 or words[0].startswith("#"):
            continue
        blob = _blob(words[2]) if len(words) > 2 else b""
        if marker == REVOKED or (blob and _kind_of(blob) == words[1]):
            yield KnownHostsLine(words[0], words[1], blob, marker, f"{where}:{number}")


def _blob(word: str) -> bytes:
    """Return the key, or b'' if it cannot be read."""
    try:
        return base64.b64decode(word, validate=True)
    except (ValueError, binascii.Error):
        return b""


def _kind_of(blob: bytes) -> str:
    """Return the type inside the key: OpenSSH ignores an entry whose type differs from it."""
    length = int.from_bytes(blob[:4], "big")
    return blob[4 : 4 + length].decode("ascii", "replace")


class KnownHosts:
    """known_hosts files, re-read when they change. Safe to use from many threads."""

    def __init__(self) -> None:
        self._read: dict[Path, tuple[tuple[int, ...], tuple[KnownHostsLine, ...]]] = {}
        self._lock = threading.Lock()

    def of(self, route: Route) -> Sequence[KnownHostsLine]:
        """Return the entries for a server: the site's if it has any, else all others; always with revocations.

        As in ssh, a server on another port than 22 is looked up without the port if it is not known with it.
        Raises Unreachable if an existing file cannot be read.
        """
        found = self._of(route, route.key_name)
        if any(line.marker == "" for line in found) or _bare(route) == route.key_name:
            return found
        return [*found, *self._of(route, _bare(route))]

    def _of(self, route: Route, name: str) -> Sequence[KnownHostsLine]:
        pinned = self._about(route, route.pinned, name)
        others = self._about(route, route.known_hosts, name)
        if any(line.marker == "" for line in pinned):
            others = [line for line in others if line.marker == REVOKED]
        return [*pinned, *others, *self._revoked(route)]

    def _revoked(self, route: Route) -> list[KnownHostsLine]:
        """Return the keys of RevokedHostKeys. Raises Unreachable if they cannot be read; ssh refuses too then."""
        found = []
        for file in route.revoked:
            try:
                text = read_known_hosts(file)
            except OSError as fault:
                what = f"{file} (RevokedHostKeys) cannot be read ({fault.strerror})"
                raise Unreachable(route.name, what, "make it readable for you", "host-key-unchecked") from None
            if text.startswith("SSHKRL"):
                what = f"{file} (RevokedHostKeys) is a KRL, which MultiAll cannot read"
                todo = "use a file with one public key per line"
                raise Unreachable(route.name, what, todo, "host-key-unchecked")
            lines = [line for line in text.split("\n") if line.strip(" \t\r") and not line.lstrip().startswith("#")]
            found += [line for each in lines for line in parse(f"{REVOKED} * {each.lstrip()}", str(file))]
        return found

    def _about(self, route: Route, files: Iterable[Path], name: str) -> list[KnownHostsLine]:
        return [line for file in files for line in self._lines(route, file) if line.matches(name)]

    def _lines(self, route: Route, file: Path) -> tuple[KnownHostsLine, ...]:
        """Return the entries of a file; none if it is missing. Raises Unreachable if it cannot be read."""
        try:
            state = file.stat()
            stamp = state.st_mtime_ns, state.st_size, state.st_ino
            with self._lock:
                if file not in self._read or self._read[file][0] != stamp:
                    self._read[file] = stamp, tuple(parse(read_known_hosts(file), str(file)))
                return self._read[file][1]
        except (FileNotFoundError, NotADirectoryError):
            return ()
        except OSError as fault:
            # Ignoring the file would silently lose its keys and revocations.
            what = f"{file} cannot be read ({fault.strerror}), so its host key cannot be checked"
            todo = f"make {file} readable for you, or take it out of UserKnownHostsFile in ~/.ssh/config"
            raise Unreachable(route.name, what, todo, "host-key-unchecked") from None


def read_known_hosts(file: Path) -> str:
    """Return the text of a known_hosts file. Raises OSError; /dev/null is the only allowed special file."""
    state = file.stat()
    if stat.S_ISCHR(state.st_mode) and state.st_rdev == os.stat(os.devnull).st_rdev:
        return ""
    if not stat.S_ISREG(state.st_mode):  # a named pipe would never end
        raise OSError(errno.EINVAL, "not a regular file")
    return file.read_text("utf-8", "surrogateescape")


def preferred(known: Sequence[KnownHostsLine], kinds: Sequence[str]) -> tuple[str, ...]:
    """Return the algorithms, those of known keys first, so that a server with several keys shows a known one."""
    have = {line.kind for line in known if line.marker == ""}
    have |= {"rsa-sha2-512", "rsa-sha2-256"} if "ssh-rsa" in have else set()
    # Certificates go first if an authority is known, and are not requested if none is.
    signed = [f"{kind}{SUFFIX}" for kind in kinds if any(line.marker == AUTHORITY for line in known)]
    return (*signed, *sorted(kinds, key=lambda kind: kind not in have))


def check(route: Route, known: Sequence[KnownHostsLine], offered: HostKey) -> None:
    """Check that the offered key is the known one, or signed by a known authority.

    Raises Unreachable (host-key-unknown, host-key-changed, host-key-unchecked).
    """
    _check_revoked(route, known, offered)
    if not _is_signed(route, known, offered):
        _check_plain(route, known, offered)


def _is_signed(route: Route, known: Sequence[KnownHostsLine], offered: HostKey) -> bool:
    """Return whether a known authority signed the key. Raises Unreachable if the certificate is invalid."""
    certificate = of_blob(f"{offered.kind}{SUFFIX}", offered.certificate) if offered.certificate else None
    if certificate is None:
        return False
    authority = HostKey(offered.name, "", certificate.authority)
    if any(line.marker == REVOKED and line.blob == authority.blob for line in known):
        what = f"the certificate of {route.key_name} is signed by the revoked key {authority.fingerprint}"
        raise Unreachable(route.name, what, "let the authority sign its host key again", "host-key-changed")
    if certificate.key != offered.blob or not any(
        line.marker == AUTHORITY and line.blob == authority.blob for line in known
    ):
        return False
    if why := fault_of(certificate, _bare(route)):
        what = f"the certificate of {route.key_name}, signed by {authority.fingerprint}, {why}"
        raise Unreachable(route.name, what, "let the authority sign its host key again", "host-key-changed")
    return True


def _bare(route: Route) -> str:
    """Return the name in a certificate: the alias or the address, without the port."""
    port = f"]:{route.port}"
    return route.key_name.removeprefix("[").removesuffix(port) if route.key_name.endswith(port) else route.key_name


def _check_revoked(route: Route, known: Sequence[KnownHostsLine], offered: HostKey) -> None:
    unread = next((line for line in known if line.marker == REVOKED and not line.blob), None)
    if unread is not None:
        raise Unreachable(
            route.name,
            f"{unread.where} revokes a key of {route.key_name} that cannot be read",
            "fix that line, or remove it",
            "host-key-unchecked",
        )
    if any(line.blob == offered.blob and line.marker == REVOKED for line in known):
        raise Unreachable(
            route.name,
            f"{route.key_name} offers a revoked {offered.kind} key {offered.fingerprint}",
            "someone may be using a stolen key: check the server from its console",
            "host-key-changed",
        )


def _check_plain(route: Route, known: Sequence[KnownHostsLine], offered: HostKey) -> None:
    plain = [line for line in known if line.marker == ""]
    if any(line.blob == offered.blob for line in plain):
        return
    plain = [line for line in plain if line.matches(route.key_name)]  # keys of other ports prove nothing
    if not plain:
        raise Unreachable(
            route.name,
            f"the host key of {route.key_name} is not known ({offered.kind} {offered.fingerprint})",
            f"`multiall server trust {route.name}` shows its fingerprint and pins it",
            "host-key-unknown",
        )
    before = next((line for line in plain if line.kind == offered.kind), plain[0])
    was = HostKey(offered.name, before.kind, before.blob)
    raise Unreachable(
        route.name,
        f"the host key of {route.key_name} changed from {was.kind} {was.fingerprint} ({before.where}) "
        f"to {offered.kind} {offered.fingerprint}",
        f"if it was reinstalled, run `multiall server trust {route.name} --replace`; "
        "if not, someone may be intercepting the connection",
        "host-key-changed",
    )


class NamedLine(Protocol):
    """A known_hosts line and the name at its start."""

    @property
    def name(self) -> str: ...

    @property
    def line(self) -> str: ...


def pin(file: Path, key: NamedLine, *, replace: bool = False) -> None:
    """Write the key to a known_hosts file, atomically and with mode 0600.

    `replace` removes the server's other keys in the file; without it they stay known.
    Raises UsageError if the file cannot be read or written.
    """
    try:
        _pin(file, key, replace=replace)
    except OSError as fault:
        what = f"the host key cannot be saved ({fault.strerror})"
        raise UsageError(str(file), what, "make it a file that you may read and write") from None


def _pin(file: Path, key: NamedLine, *, replace: bool) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    folder = os.open(file.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)  # concurrent `server trust` runs lose no line
        lines = read_known_hosts(file).removesuffix("\n").split("\n") if file.exists() else []
        kept = [rest for line in lines if (rest := _without(line, key.name) if replace else line)]
        if key.line not in kept:
            kept.append(key.line)
        _write(file, "".join(f"{line}\n" for line in kept))
        os.fsync(folder)
    finally:
        os.close(folder)


def _without(line: str, name: str) -> str:
    """Return the line without this server; '' if nothing is left. Lines with patterns or markers stay unchanged."""
    entry = next(parse(line, ""), None)
    if entry is None or entry.marker or not entry.matches(name):
        return line
    others = [host for host in entry.hosts.split(",") if host.lower() != name.lower() and not _hash_fits(host, name)]
    return line.replace(entry.hosts, ",".join(others), 1) if others else ""


def _write(file: Path, text: str) -> None:
    handle, name = tempfile.mkstemp(prefix=f".{file.name}.", dir=file.parent)
    try:
        with os.fdopen(handle, "w", encoding="utf-8", errors="surrogateescape", newline="") as out:
            out.write(text)
            out.flush()
            os.fsync(out.fileno())
        Path(name).replace(file)
    except OSError:
        Path(name).unlink(missing_ok=True)
        raise
