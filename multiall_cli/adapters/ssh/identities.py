"""The keys that a server is offered, in order: the key of the last login first."""

import base64
import hashlib
import os
import socket
import threading
from collections.abc import Iterator
from copy import copy
from pathlib import Path

import paramiko
from paramiko.agent import AgentKey, AgentSSH

from multiall_cli.adapters.ssh.certificates import Certificate, of_file, public_blob
from multiall_cli.adapters.ssh.route import Route
from multiall_cli.domain.dataclass import dataclass

AGENT_PATIENCE = 60.0  # seconds that an agent may take: it may ask its user, or a hardware token
DEFAULTS = ("id_ed25519", "id_ecdsa", "id_rsa")  # below ~/.ssh, if no key is configured


@dataclass(frozen=True, slots=True)
class Identity:
    """A key that can sign; `label` is its name in messages."""

    label: str
    key: paramiko.PKey

    @property
    def fingerprint(self) -> str:
        """Of the certificate, if the key is offered with one."""
        certificate = getattr(self.key, "public_blob", None)
        return _fingerprint(certificate.key_blob if certificate else self.key.asbytes())


def _fingerprint(blob: bytes) -> str:
    return "SHA256:" + base64.b64encode(hashlib.sha256(blob).digest()).decode().rstrip("=")


class IdentityFiles:
    """Private key files, read once. Safe to use from many threads."""

    def __init__(self) -> None:
        self._read: dict[Path, Identity | str] = {}
        self._lock = threading.Lock()

    def of(self, file: Path) -> Identity | str:
        """Return the file's key, or the reason why it cannot be used."""
        with self._lock:
            if file not in self._read:
                self._read[file] = _load(file)
            return self._read[file]


def _load(file: Path) -> Identity | str:
    try:
        return Identity(file.name, paramiko.PKey.from_path(file))
    except (paramiko.PasswordRequiredException, TypeError):  # TypeError: cryptography's request for a passphrase
        return f"{file.name} is encrypted: add it to the agent with `ssh-add {file}`"
    except FileNotFoundError:
        return f"{file} does not exist"
    except OSError as fault:
        return f"{file} cannot be read ({fault.strerror})"
    except (ValueError, paramiko.SSHException, paramiko.pkey.UnknownKeyType) as fault:
        return f"{file} is not a private key of a known type ({fault})"


class IdentityOrder:
    """The keys for one login, in order; `left_out` has the reasons for unusable ones."""

    def __init__(self, route: Route, identities: IdentityFiles, remembered: str) -> None:
        """`remembered`: fingerprint of the key that this server accepted last time, or ''."""
        self._route = route
        self._identities = identities
        self._remembered = remembered
        self._agent: AgentSSH | None = None
        self._agent_offers: list[Identity] | None = None
        self._certificates: dict[Path, Certificate | None] = {}
        self.left_out: list[str] = []

    def __iter__(self) -> Iterator[Identity]:
        files = [each for offer in self._from_files() for each in self._with_certificates(offer)]
        first = self._find(files) or self._find(self._from_agent()) if self._remembered else None
        if first is not None:
            yield first
        seen = {first.fingerprint} if first is not None else set()
        for offer in self._in_turn(files):
            if offer.fingerprint not in seen:
                seen.add(offer.fingerprint)
                yield offer

    def _in_turn(self, files: list[Identity]) -> Iterator[Identity]:
        named = not self._route.default_identities
        yield from files if named else ()
        yield from self._from_agent()
        yield from () if named else files

    def _find(self, offers: list[Identity]) -> Identity | None:
        return next((offer for offer in offers if offer.fingerprint == self._remembered), None)

    def _from_files(self) -> Iterator[Identity]:
        named = self._route.identities
        files = named or tuple(Path("~/.ssh").expanduser() / name for name in DEFAULTS)
        for file in files:
            offer = self._identities.of(file)
            if isinstance(offer, Identity):
                yield offer
            elif self._is_in_agent(file):
                continue  # the agent signs with this key
            elif named or "exist" not in offer:
                self.left_out.append(offer)

    def _from_agent(self) -> list[Identity]:
        """Return the agent's keys; with IdentitiesOnly, only configured ones."""
        if self._agent_offers is None:
            self._agent_offers = list(self._ask_agent()) if self._route.agent != "" else []
        return self._agent_offers

    def _is_in_agent(self, file: Path) -> bool:
        blob = public_blob(file)
        return bool(blob) and any(offer.key.asbytes() == blob for offer in self._from_agent())

    def _ask_agent(self) -> Iterator[Identity]:
        named = self._route.agent
        place = os.environ.get("SSH_AUTH_SOCK", "") if named is None else named
        if not place:
            return
        try:
            self._agent = _connect_agent(place)  # one per login: its connection is not thread-safe
            agent_keys = self._agent.get_keys()
        except (paramiko.SSHException, OSError, EOFError) as fault:
            if named is not None or not isinstance(fault, (FileNotFoundError, ConnectionRefusedError)):
                self.left_out.append(f"the ssh agent at {place} does not answer ({fault})")
            return
        wanted = {public_blob(file) for file in self._route.identities}
        for key in agent_keys:
            if key.asbytes() in wanted or not self._route.identities_only:
                yield from self._with_certificates(Identity(f"{key.comment or key.get_name()} (agent)", key))

    def _with_certificates(self, offer: Identity) -> Iterator[Identity]:
        """Yield the key with each certificate for it, then without."""
        beside = getattr(offer.key, "public_blob", None)
        if beside is not None:
            yield offer
        for file in self._route.certificates:
            certificate = self._certificate(file)
            if certificate is not None and certificate.key == offer.key.asbytes():
                key = _copy(offer.key)
                key.load_certificate(str(file))
                yield Identity(f"{offer.label} with {file.name}", key)
        if beside is None:
            yield offer
        else:
            plain = _copy(offer.key)
            plain.public_blob = None
            yield Identity(offer.label, plain)

    def _certificate(self, file: Path) -> Certificate | None:
        """Return a CertificateFile; its error is reported once."""
        if file not in self._certificates:
            try:
                self._certificates[file] = of_file(file)
                why = "" if self._certificates[file] else f"{file} is not a certificate of a known type"
            except OSError as fault:
                self._certificates[file], why = None, f"{file} cannot be read ({fault.strerror})"
            self.left_out += [why] if why else []
        return self._certificates[file]

    def close(self) -> None:
        if self._agent is not None:
            self._agent._close()  # type: ignore[attr-defined]


def _copy(key: paramiko.PKey) -> paramiko.PKey:
    """Return a copy of the key, to which a certificate can be added."""
    return AgentKey(key.agent, key.blob, key.comment) if isinstance(key, AgentKey) else copy(key)


def _connect_agent(place: str) -> AgentSSH:
    """Connect to the agent at a socket. Raises OSError, SSHException."""
    link = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        link.settimeout(AGENT_PATIENCE)
        link.connect(place)
        agent = AgentSSH()
        agent._connect(link)  # type: ignore[attr-defined]  # its Agent knows no other place than SSH_AUTH_SOCK
    except BaseException:
        link.close()
        raise
    return agent
