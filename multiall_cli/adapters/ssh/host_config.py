"""The ssh config of one host: Host and Match blocks in the order of the files; the first value wins."""

import ipaddress
import os
import pwd
import socket
import subprocess
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import field

from multiall_cli.adapters.ssh.config import Directive, check_known, matches, matches_list, next_word, seconds
from multiall_cli.adapters.ssh.keywords import KNOWN, LINES, NOT_HONOURED, OFF, SEVERAL
from multiall_cli.adapters.ssh.tokens import expand, only, tokens
from multiall_cli.domain.dataclass import dataclass

EXEC_TOKENS = "CLdhiklnpru"
EXEC_LIMIT = 30.0  # seconds that the command of a `Match exec` may take


@dataclass(frozen=True, slots=True)
class ConfigValue:
    """A keyword's value, and its line."""

    words: tuple[str, ...]
    line: Directive

    @property
    def text(self) -> str:
        return self.words[0]


@dataclass(frozen=True, slots=True)
class HostConfig:
    """All values for one host. `hostname` is the address with its tokens replaced, in lower case."""

    hostname: str
    values: Mapping[str, tuple[ConfigValue, ...]]

    def first(self, keyword: str) -> ConfigValue | None:
        return next(iter(self.values.get(keyword, ())), None)

    def text(self, keyword: str, otherwise: str = "") -> str:
        found = self.first(keyword)
        return otherwise if found is None else found.text

    @property
    def connect_timeout(self) -> float | None:
        return seconds(self.text("connecttimeout", "none")) or None


@dataclass(frozen=True, slots=True)
class HostQuery:
    """The host to look up.

    `address`: its address in the inventory; '' if the config decides. Blocks for the alias and for the address apply;
    the inventory's address wins over the HostName of a block for the alias alone.
    `user`, `port`: override the config, as on ssh's command line.
    """

    alias: str
    address: str = ""
    user: str = ""
    port: int = 0
    tag: str = ""
    runs: bool = True
    """Whether to run commands of `Match exec`; if not, they fail."""


Resolve = Callable[[str], bool]
"""Returns whether a name has an address."""


def resolves(name: str) -> bool:
    try:
        return bool(socket.getaddrinfo(name, None, type=socket.SOCK_STREAM))
    except (OSError, UnicodeError):
        return False


def host_config(files: Iterable[Sequence[Directive]], query: HostQuery, resolve: Resolve = resolves) -> HostConfig:
    """Return the values of the files for a host. Raises UsageError if ssh would refuse the files for it."""
    files = tuple(files)
    first = _ConfigPass(query, query.alias, query.address)
    first.read_all(files)
    host = first.hostname()
    wants_more = first.wants_final
    canonical = first.text("canonicalizehostname", "no").lower()
    if canonical not in ("no", "false"):
        host, wants_more = _canonical(first, host, canonical, resolve), True
    if wants_more:
        second = _ConfigPass(query, host, "", final=True, values=first.values, fixed=host)
        second.read_all(files)
    return HostConfig(host, {keyword: tuple(found) for keyword, found in first.values.items()})


def not_honoured(found: HostConfig) -> list[Directive]:
    """Return the lines that apply, but that MultiAll does not follow."""
    return [
        value.line
        for keyword in sorted(NOT_HONOURED & found.values.keys())
        for value in found.values[keyword]
        if not all(word.lower() in (each.lower() for each in OFF.get(keyword, ())) for word in value.words)
    ]


def _canonical(found: "_ConfigPass", host: str, how: str, resolve: Resolve) -> str:
    """Return the name completed by the first of CanonicalDomains with which it has an address."""
    direct = found.text("proxycommand", "none") == "none" and found.text("proxyjump", "none") == "none"
    dots = int(found.text("canonicalizemaxdots", "1"))
    if is_address(host) or (not direct and how != "always") or host.rstrip(".").count(".") > dots or host.endswith("."):
        return host
    domains = found.values.get("canonicaldomains", [])
    for domain in domains[0].words if domains else ():
        if domain != "none" and resolve(f"{host}.{domain}"):
            return f"{host}.{domain}".lower()
    if found.text("canonicalizefallbacklocal", "yes").lower() in ("no", "false"):
        line = domains[0].line if domains else found.values["canonicalizehostname"][0].line
        raise line.fault(f"{host} has an address in none of CanonicalDomains")
    return host


def is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


@dataclass(slots=True)
class _ConfigPass:
    """One reading of the files. `host`, `address`: matched against Host patterns; `fixed`: the final HostName."""

    query: HostQuery
    host: str
    address: str
    final: bool = False
    values: dict[str, list[ConfigValue]] = field(default_factory=dict)
    fixed: str = ""
    wants_final: bool = False
    _by_address: bool = True

    def read_all(self, files: Iterable[Sequence[Directive]]) -> None:
        for lines in files:
            self._by_address = True
            self._read(lines, active=True, never=False)

    def _read(self, lines: Sequence[Directive], *, active: bool, never: bool) -> None:
        for line in lines:
            if line.keyword == "host":
                active = not never and self._is_host(line)
            elif line.keyword == "match":
                active = self._matches(line, never=never) and not never
                self._by_address = True
            elif line.keyword == "include":
                before = self._by_address
                for included in line.included:
                    self._by_address = before
                    self._read(included, active=active, never=never or not active)
                self._by_address = before
            elif line.keyword not in KNOWN:
                check_known(line, self.text("ignoreunknown"))
            elif active:
                self._put(line)

    def _is_host(self, line: Directive) -> bool:
        """Return whether one of the patterns matches, and none with `!` does."""
        names = {self.host, self.address or self.host}
        wanted = [word for word in line.words if not word.startswith("!")]
        refused = [word[1:] for word in line.words if word.startswith("!")]
        if any(matches(name, pattern) for name in names for pattern in refused):
            return False
        self._by_address = any(matches(self.address or self.host, pattern) for pattern in wanted)
        return any(matches(name, pattern) for name in names for pattern in wanted)

    def _put(self, line: Directive) -> None:
        keyword = line.keyword
        if keyword == "hostname" and (self.fixed or not self._by_address):
            return
        if keyword == "connecttimeout" and line.words[0] == "none":
            return
        if keyword in ("proxycommand", "proxyjump"):
            self._put_proxy(line)
            return
        words = (line.rest.lstrip(" \t="),) if keyword in LINES else line.words
        before = self.values.setdefault(keyword, [])
        if not before or (keyword in SEVERAL and words not in [each.words for each in before]):
            before.append(ConfigValue(words, line))

    def _put_proxy(self, line: Directive) -> None:
        """Store the first of ProxyCommand and ProxyJump; only ProxyJump may have a comment."""
        text = line.rest.lstrip(" \t=")
        if line.keyword == "proxyjump":
            text = text.partition("#")[0].rstrip()
            if not text or any(not hop or any(sign.isspace() for sign in hop) for hop in text.split(",")):
                raise line.fault(f"{text or 'nothing'} is not a ProxyJump")
        text = "none" if text.lower() == "none" else text
        if "proxyjump" not in self.values and "proxycommand" not in self.values:
            self.values[line.keyword] = [ConfigValue((text,), line)]
        elif line.keyword == "proxycommand" and self.text("proxyjump") == "none" and "proxycommand" not in self.values:
            self.values["proxycommand"] = [ConfigValue((text,), line)]

    def text(self, keyword: str, otherwise: str = "") -> str:
        found = self.values.get(keyword)
        return found[0].text if found else otherwise

    def user(self) -> str:
        return self.query.user or self.text("user") or pwd.getpwuid(os.getuid()).pw_name

    def port(self) -> int:
        return self.query.port or int(self.text("port", "22"))

    def hostname(self) -> str:
        """Return the address so far; names are in lower case."""
        base = self.address or self.host
        found = self.values.get("hostname")
        host = self.fixed or (expand(found[0].text, {"h": base}, found[0].line.where) if found else base)
        return host if is_address(host) else host.lower()

    # --- Match --------------------------------------------------------------------------------------------------

    def _matches(self, line: Directive, *, never: bool) -> bool:
        """Return whether all criteria of a Match line hold. Raises UsageError for an unknown one."""
        rest: str | None = line.rest
        holds, attributes = True, 0
        while rest:
            word, rest = next_word(rest)
            if not word or word.startswith("#"):
                break
            negated, name = word.startswith("!"), word.removeprefix("!").lower()
            if name == "all":
                argument = next_word(rest)[0] if rest else ""
                if attributes > 1 or (argument and not argument.startswith("#")):
                    raise line.fault("'all' cannot be combined with other criteria of Match")
                return holds and not negated
            attributes += 1
            if name in ("canonical", "final"):
                self.wants_final = self.wants_final or name == "final"
                holds = holds and self.final != negated
                continue
            argument, rest = next_word(rest) if rest else ("", None)
            if not argument or argument.startswith("#"):
                raise line.fault(f"the criterion {name} of Match has no value")
            holds = self._criterion(line, name, argument, skip=never or not holds) != negated and holds
        if not attributes:
            raise line.fault("Match has no criterion")
        return holds

    def _criterion(self, line: Directive, name: str, argument: str, *, skip: bool) -> bool:
        here = pwd.getpwuid(os.getuid()).pw_name
        tests: Mapping[str, Callable[[], bool]] = {
            "host": lambda: matches_list(self.hostname().lower(), argument.lower()),
            "originalhost": lambda: any(
                matches_list(name.lower(), argument.lower())
                for name in {self.query.alias, self.query.address or self.query.alias}
            ),
            "user": lambda: matches_list(self.user(), argument),
            "localuser": lambda: matches_list(here, argument),
            "tagged": lambda: matches_list(self.query.tag or self.text("tag"), argument),
            "localnetwork": lambda: _in_networks(line, argument),
            "exec": lambda: self.query.runs and not skip and self._run(line, argument),
        }
        if name not in tests:
            raise line.fault(f"MultiAll does not know the criterion {name} of Match")
        return tests[name]()

    def _run(self, line: Directive, command: str) -> bool:
        found = tokens(self.query.alias, self.hostname(), self.port(), self.user(), self.text("hostkeyalias"))
        shell = os.environ.get("SHELL") or "/bin/sh"
        argv = [
            shell,
            "-c",
            expand(command, only(found, EXEC_TOKENS) | {"k": self.text("hostkeyalias") or self.hostname()}, line.where),
        ]
        try:
            done = subprocess.run(
                argv, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=EXEC_LIMIT
            )
        except (OSError, subprocess.SubprocessError) as fault:
            raise line.fault(f"its command could not be run ({type(fault).__name__})") from None
        return done.returncode == 0


def _in_networks(line: Directive, argument: str) -> bool:
    """Return whether one of our addresses is in one of the networks. Raises UsageError."""
    import psutil

    try:
        networks = [ipaddress.ip_network(each, strict=False) for each in argument.split(",")]
    except ValueError as fault:
        raise line.fault(f"{fault}") from None
    families = (socket.AF_INET, socket.AF_INET6)
    ours = [
        each.address.partition("%")[0]
        for some in psutil.net_if_addrs().values()
        for each in some
        if each.family in families
    ]
    return any(ipaddress.ip_address(address) in network for address in ours for network in networks)
