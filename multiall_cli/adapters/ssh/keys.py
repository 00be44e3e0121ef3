"""Which keys a server is offered, and in which order: the one that worked last time goes first."""

import base64
import hashlib
import threading
from collections.abc import Iterator
from pathlib import Path

import paramiko

from multiall_cli.adapters.ssh.route import Route
from multiall_cli.domain.dataclass import dataclass

DEFAULTS = ("id_ed25519", "id_ecdsa", "id_rsa")  # below ~/.ssh, where nothing else is named


@dataclass(frozen=True, slots=True)
class Offer:
    """A key that can sign; `label` is how messages call it."""

    label: str
    key: paramiko.PKey

    @property
    def fingerprint(self) -> str:
        return _fingerprint(self.key.asbytes())


def _fingerprint(blob: bytes) -> str:
    return "SHA256:" + base64.b64encode(hashlib.sha256(blob).digest()).decode().rstrip("=")


class Identities:
    """Private keys of files, read once. Safe to use from many threads."""

    def __init__(self) -> None:
        self._read: dict[Path, Offer | str] = {}
        self._lock = threading.Lock()

    def of(self, file: Path) -> Offer | str:
        """The file's key, or why there is none."""
        with self._lock:
            if file not in self._read:
                self._read[file] = _load(file)
            return self._read[file]


def _load(file: Path) -> Offer | str:
    try:
        return Offer(file.name, paramiko.PKey.from_path(file))
    except (paramiko.PasswordRequiredException, TypeError):  # TypeError: how cryptography asks for a passphrase
        return f"{file.name} is encrypted: `ssh-add {file}` gives it to the agent"
    except FileNotFoundError:
        return f"{file} does not exist"
    except OSError as fault:
        return f"{file} cannot be read ({fault.strerror})"
    except (ValueError, paramiko.SSHException, paramiko.pkey.UnknownKeyType) as fault:
        return f"{file} is no private key that we know ({fault})"


class Offers:
    """The keys for one login, in order; what had to be left out is told in `left_out`."""

    def __init__(self, route: Route, identities: Identities, remembered: str) -> None:
        """`remembered`: the fingerprint of the key that this server took last time, or ''."""
        self._route = route
        self._identities = identities
        self._remembered = remembered
        self._agent: paramiko.Agent | None = None
        self._agent_offers: list[Offer] | None = None
        self.left_out: list[str] = []

    def __iter__(self) -> Iterator[Offer]:
        files = list(self._from_files())
        first = self._find(files) or self._find(self._from_agent()) if self._remembered else None
        if first is not None:
            yield first
        seen = {first.fingerprint} if first is not None else set()
        for offer in self._in_turn(files):
            if offer.fingerprint not in seen:
                seen.add(offer.fingerprint)
                yield offer

    def _in_turn(self, files: list[Offer]) -> Iterator[Offer]:
        named = not self._route.default_identities
        yield from files if named else ()
        yield from self._from_agent()
        yield from () if named else files

    def _find(self, offers: list[Offer]) -> Offer | None:
        return next((offer for offer in offers if offer.fingerprint == self._remembered), None)

    def _from_files(self) -> Iterator[Offer]:
        named = self._route.identities
        files = named or tuple(Path("~/.ssh").expanduser() / name for name in DEFAULTS)
        for file in files:
            offer = self._identities.of(file)
            if isinstance(offer, Offer):
                yield offer
            elif named or "exist" not in offer:
                self.left_out.append(offer)

    def _from_agent(self) -> list[Offer]:
        """The agent's keys; where only named identities count, those of them that it holds."""
        if self._agent_offers is None:
            self._agent_offers = list(self._ask_agent()) if self._route.agent != "" else []
        return self._agent_offers

    def _ask_agent(self) -> Iterator[Offer]:
        try:
            self._agent = paramiko.Agent()  # one per login: its connection is not made for several threads
            held = self._agent.get_keys()
        except (paramiko.SSHException, OSError, EOFError) as fault:
            self.left_out.append(f"the ssh agent does not answer ({fault})")
            return
        wanted = {_public(file) for file in self._route.identities}
        for key in held:
            if key.asbytes() in wanted or not self._route.identities_only:
                yield Offer(f"{key.comment or key.get_name()} (agent)", key)

    def close(self) -> None:
        if self._agent is not None:
            self._agent.close()


def _public(file: Path) -> bytes:
    """The public half beside a private key, or b''."""
    try:
        return base64.b64decode(file.with_name(f"{file.name}.pub").read_text("ascii").split()[1])
    except (OSError, ValueError, IndexError):
        return b""
