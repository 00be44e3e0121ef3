"""Which host keys are known: the known_hosts format of OpenSSH, read, matched and written."""

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
    """A host key as it was offered or is known; `name` as in known_hosts (`address` or `[address]:port`)."""

    name: str
    kind: str
    blob: bytes
    certificate: bytes = b""
    """The host's certificate, of which the key above is a part."""

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

    def means(self, name: str) -> bool:
        """Whether it is about this server: by name, by pattern (`*`, `?`, `!not`) or by salted hash."""
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
    # Square brackets are part of `[address]:port`, not a class of characters.
    return fnmatch.fnmatchcase(name.lower(), pattern.lower().replace("[", "[[]"))


def _hash_fits(pattern: str, name: str) -> bool:
    if not pattern.startswith("|1|"):
        return False
    try:
        salt, digest = (base64.b64decode(part) for part in pattern[3:].split("|"))
    except (ValueError, binascii.Error):
        return False
    # ssh writes the hash of the name in small letters; an alias (HostKeyAlias) is hashed as it is written.
    return digest in (
        hmac.digest(salt, each.encode("utf-8", "surrogateescape"), "sha1") for each in (name.lower(), name)
    )


def parse(text: str, where: str) -> Iterator[KnownHostsLine]:
    """The entries of a known_hosts file; what is no entry is passed over, as OpenSSH does.

    Only line feeds end a line, and only blanks and tabs part its words: a comment that holds a form feed or U+2028
    is still one comment. A revocation is returned whatever its words are, without a blob where it cannot be read.
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
    """The key, or b'' where it cannot be read."""
    try:
        return base64.b64decode(word, validate=True)
    except (ValueError, binascii.Error):
        return b""


def _kind_of(blob: bytes) -> str:
    """The type that a key says of itself: an entry whose word differs from it is no entry for OpenSSH."""
    length = int.from_bytes(blob[:4], "big")
    return blob[4 : 4 + length].decode("ascii", "replace")


class KnownHosts:
    """known_hosts files, read again when they change. Safe to use from many threads."""

    def __init__(self) -> None:
        self._read: dict[Path, tuple[tuple[int, ...], tuple[KnownHostsLine, ...]]] = {}
        self._lock = threading.Lock()

    def of(self, route: Route) -> Sequence[KnownHostsLine]:
        """The entries about a server: those of the site where it has any, else all others; revocations always.

        As in ssh, a server on a port of its own that is not known so is looked up without the port.
        Errors: Unreachable where a file is there and cannot be read.
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
        """The keys of RevokedHostKeys. Errors: Unreachable where they cannot be read, as ssh refuses then."""
        found = []
        for file in route.revoked:
            try:
                text = read_known_hosts(file)
            except OSError as fault:
                what = f"{file} (RevokedHostKeys) cannot be read ({fault.strerror})"
                raise Unreachable(route.name, what, "make it readable for you", "host-key-unchecked") from None
            if text.startswith("SSHKRL"):
                what = f"{file} (RevokedHostKeys) is a KRL, which MultiAll does not read"
                todo = "name a file with a public key a line"
                raise Unreachable(route.name, what, todo, "host-key-unchecked")
            lines = [line for line in text.split("\n") if line.strip(" \t\r") and not line.lstrip().startswith("#")]
            found += [line for each in lines for line in parse(f"{REVOKED} * {each.lstrip()}", str(file))]
        return found

    def _about(self, route: Route, files: Iterable[Path], name: str) -> list[KnownHostsLine]:
        return [line for file in files for line in self._lines(route, file) if line.means(name)]

    def _lines(self, route: Route, file: Path) -> tuple[KnownHostsLine, ...]:
        """The entries of a file; none where there is no such file. Errors: Unreachable where it cannot be read."""
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
            # What it says of a key, and that a key is revoked, would be lost in silence.
            what = f"{file} cannot be read ({fault.strerror}), so its host key cannot be checked"
            todo = f"make {file} readable for you, or take it out of UserKnownHostsFile in ~/.ssh/config"
            raise Unreachable(route.name, what, todo, "host-key-unchecked") from None


def read_known_hosts(file: Path) -> str:
    """The text of a known_hosts file. Errors: OSError; only /dev/null may be something else than a file."""
    state = file.stat()
    if stat.S_ISCHR(state.st_mode) and state.st_rdev == os.stat(os.devnull).st_rdev:
        return ""
    if not stat.S_ISREG(state.st_mode):  # a named pipe would never end
        raise OSError(errno.EINVAL, "it is no regular file")
    return file.read_text("utf-8", "surrogateescape")


def preferred(known: Sequence[KnownHostsLine], kinds: Sequence[str]) -> tuple[str, ...]:
    """The algorithms of keys that are known first, so that a server with several keys shows one of those."""
    have = {line.kind for line in known if line.marker == ""}
    have |= {"rsa-sha2-512", "rsa-sha2-256"} if "ssh-rsa" in have else set()
    # Certificates go first where an authority is known, and are not asked for where none is.
    signed = [f"{kind}{SUFFIX}" for kind in kinds if any(line.marker == AUTHORITY for line in known)]
    return (*signed, *sorted(kinds, key=lambda kind: kind not in have))


def check(route: Route, known: Sequence[KnownHostsLine], offered: HostKey) -> None:
    """Whether the offered key is the known one, or signed by a known authority.

    Errors: Unreachable (host-key-unknown, host-key-changed, host-key-unchecked).
    """
    _check_revoked(route, known, offered)
    if not _is_signed(route, known, offered):
        _check_plain(route, known, offered)


def _is_signed(route: Route, known: Sequence[KnownHostsLine], offered: HostKey) -> bool:
    """Whether a known authority vouches for it. Errors: Unreachable where its certificate does not hold."""
    certificate = of_blob(f"{offered.kind}{SUFFIX}", offered.certificate) if offered.certificate else None
    if certificate is None:
        return False
    authority = HostKey(offered.name, "", certificate.authority)
    if any(line.marker == REVOKED and line.blob == authority.blob for line in known):
        what = f"the certificate of {route.key_name} is signed by the revoked key {authority.fingerprint}"
        raise Unreachable(route.name, what, "have its host key signed anew", "host-key-changed")
    if certificate.key != offered.blob or not any(
        line.marker == AUTHORITY and line.blob == authority.blob for line in known
    ):
        return False
    if why := fault_of(certificate, _bare(route)):
        what = f"the certificate of {route.key_name}, signed by {authority.fingerprint}, {why}"
        raise Unreachable(route.name, what, "have its host key signed anew", "host-key-changed")
    return True


def _bare(route: Route) -> str:
    """The name that a certificate is for: the alias or the address, without the port."""
    port = f"]:{route.port}"
    return route.key_name.removeprefix("[").removesuffix(port) if route.key_name.endswith(port) else route.key_name


def _check_revoked(route: Route, known: Sequence[KnownHostsLine], offered: HostKey) -> None:
    unread = next((line for line in known if line.marker == REVOKED and not line.blob), None)
    if unread is not None:
        raise Unreachable(
            route.name,
            f"{unread.where} revokes a key of {route.key_name} that cannot be read",
            "mend that line, or take it out",
            "host-key-unchecked",
        )
    if any(line.blob == offered.blob and line.marker == REVOKED for line in known):
        raise Unreachable(
            route.name,
            f"{route.key_name} shows a revoked {offered.kind} key {offered.fingerprint}",
            "somebody may be using a stolen key: look at the server from its console",
            "host-key-changed",
        )


def _check_plain(route: Route, known: Sequence[KnownHostsLine], offered: HostKey) -> None:
    plain = [line for line in known if line.marker == ""]
    if any(line.blob == offered.blob for line in plain):
        return
    plain = [line for line in plain if line.means(route.key_name)]  # of other ports another key tells nothing
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
        f"if it was installed anew, `multiall server trust {route.name} --replace`; "
        "if not, somebody may be listening in",
        "host-key-changed",
    )


class NamedLine(Protocol):
    """A known_hosts line and the name that it begins with."""

    @property
    def name(self) -> str: ...

    @property
    def line(self) -> str: ...


def pin(file: Path, key: NamedLine, *, replace: bool = False) -> None:
    """Write the key to a known_hosts file, atomically and with mode 0600.

    `replace` takes out what the file says of the same server; without it, other keys of the server stay known.
    Errors: UsageError where the file cannot be read or written.
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
        fcntl.flock(folder, fcntl.LOCK_EX)  # two admins who trust servers at once lose no line
        lines = read_known_hosts(file).removesuffix("\n").split("\n") if file.exists() else []
        kept = [rest for line in lines if (rest := _without(line, key.name) if replace else line)]
        if key.line not in kept:
            kept.append(key.line)
        _write(file, "".join(f"{line}\n" for line in kept))
        os.fsync(folder)
    finally:
        os.close(folder)


def _without(line: str, name: str) -> str:
    """The line without this server; '' where nothing is left of it. Patterns and markers are the admin's own: kept."""
    entry = next(parse(line, ""), None)
    if entry is None or entry.marker or not entry.means(name):
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
