"""ssh_config as OpenSSH has it: `ssh -G` and our reader say the same of any config, or both refuse it."""

import random
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from multiall_cli.adapters.ssh.config import read
from multiall_cli.adapters.ssh.host_config import HostConfig, HostQuery, host_config
from multiall_cli.domain.errors import UsageError

pytestmark = pytest.mark.skipif(shutil.which("ssh") is None, reason="OpenSSH's client is not installed")

ALIASES = ("web1", "WEB1", "web2", "db.example", "10.0.0.1", "a", "web[1]", "fe80::1%lo")
PATTERNS = (
    "web1", "web*", "web?", "*", "!web1", "!web2", "WEB1", "db*", "10.*", "*.example", "x", "web[1]", '"web1"',
    "a,web1", "'web2'", "10.0.0.?", "we\\b1", "#", "", "fe80::*",
)  # fmt: skip
VALUES = (
    "HostName 10.0.0.1", "HostName %h.example", "HostName Web.Example", "HostName %%x", "HostName %n", "User ann",
    "User bob", 'User "a b"', "User x y", "Port 22", "Port=2222", "Port = 33", "port 0", "Port 022", "Port x",
    "ProxyJump b", "ProxyJump a@b:3,c # d", "ProxyJump none", "ProxyCommand nc %h %p # x", "ProxyCommand none",
    "IdentityFile ~/a", "IdentityFile /k/%h", "IdentityFile none", 'IdentityFile "/k/a b"', "CertificateFile /k/c",
    "HostKeyAlias Alias", "HostKeyAlias other", "IdentitiesOnly yes", "IdentitiesOnly NO", "IdentitiesOnly maybe",
    "UserKnownHostsFile /k/1 /k/2", "UserKnownHostsFile none", "UserKnownHostsFile /k/3", "ConnectTimeout 5",
    "ConnectTimeout 1m30s", "ConnectTimeout soon", "ConnectTimeout none", "Compression yes", "ForwardAgent yes",
    "# User comment", "  ", "User 'open", "Bogus 1", "IgnoreUnknown bog*", "\tUser\tann\t", "User ann # c", "User a#b",
    "GSSAPIAuthentication yes", "USER ann",
    "\fUser q", "User q\f", "User q\r", "User", "=User x", '"User" x', "User a\\ b", "User a\\qb",
    "CanonicalizeHostname no", "CanonicalizeHostname yes", "IdentityAgent none", "IdentityAgent /k/agent",
    "ProxyJump None", "ProxyCommand NONE",
    "Host", "Match", "Include inner", "Include none-there", "Include 'inner", "Include inner*",
)  # fmt: skip
CRITERIA = (
    "all", "!all", "host web1", "host 10.*", "!host web*", "host web*,!web2", "originalhost web*", "user ann",
    "user root", "!user bob",
    "localuser root", "localuser nobody", "final", "canonical", "!final", 'exec "true"', 'exec "false"',
    'exec "test %h = 10.0.0.1"', 'exec "test %n = web1"', "!exec true", "bogus x", "host", "user=ann", 'host "web1"',
    "# c", "host *.example", "HOST web1",
)  # fmt: skip


def config(chosen: random.Random) -> str:
    lines = []
    for _ in range(chosen.randint(1, 9)):
        kind = chosen.random()
        if kind < 0.22:
            lines.append(
                chosen.choice(("Host ", "host=", "  Host\t"))
                + " ".join(chosen.choices(PATTERNS, k=chosen.randint(1, 3)))
            )
        elif kind < 0.42:
            lines.append("Match " + " ".join(chosen.choices(CRITERIA, k=chosen.randint(1, 2))))
        else:
            lines.append(chosen.choice(VALUES))
    return "\n".join(lines) + "\n"


def asked_of_ssh(file: Path, alias: str, *options: str) -> dict[str, list[str]] | None:
    """What `ssh -G` prints, by keyword; None where it refuses."""
    done = subprocess.run(["ssh", "-G", "-F", str(file), *options, "--", alias], capture_output=True, text=True)
    if done.returncode:
        return None
    found: dict[str, list[str]] = {}
    for line in done.stdout.splitlines():
        keyword, _, value = line.partition(" ")
        found.setdefault(keyword, []).append(value)
    return found


def same(
    ours: HostConfig, theirs: dict[str, list[str]], question: HostQuery, root: str
) -> list[tuple[str, object, object]]:
    """The keywords that differ."""

    def words(keyword: str) -> list[str]:
        return [" ".join(value.words) for value in ours.values.get(keyword, ())]

    default = theirs["identityfile"][0] == "~/.ssh/id_rsa"
    proxy = [value for value in words("proxycommand") if value != "none"]
    jump = [value for value in words("proxyjump") if value != "none"]
    pairs = [
        ("hostname", [ours.hostname], theirs["hostname"]),
        ("user", [question.user or ours.text("user", root)], theirs["user"]),
        ("port", [str(question.port or int(ours.text("port", "22")))], theirs["port"]),
        ("proxycommand", proxy, theirs.get("proxycommand", [])),
        ("proxyjump", jump, theirs.get("proxyjump", [])),
        ("identityfile", words("identityfile"), [] if default else theirs["identityfile"]),
        ("certificatefile", words("certificatefile"), theirs.get("certificatefile", [])),
        ("hostkeyalias", [value.lower() for value in words("hostkeyalias")], theirs.get("hostkeyalias", [])),
        ("identitiesonly", [ours.text("identitiesonly", "no").lower()], theirs["identitiesonly"]),
        ("identityagent", words("identityagent"), theirs.get("identityagent", [])),
        ("connecttimeout", [f"{ours.connect_timeout:g}" if ours.connect_timeout else "none"], theirs["connecttimeout"]),
    ]
    if known := words("userknownhostsfile"):
        pairs.append(("userknownhostsfile", known, theirs["userknownhostsfile"]))
    return [pair for pair in pairs if pair[1] != pair[2]]


@pytest.fixture
def ground(tmp_path: Path) -> Callable[[str, str], Path]:
    def written(text: str, inner: str) -> Path:
        (tmp_path / "inner").write_text(inner, newline="")
        (tmp_path / "config").write_text(text.replace("Include inner", f"Include {tmp_path}/inner"), newline="")
        return tmp_path / "config"

    return written


def compared(file: Path, question: HostQuery) -> str:
    """'' where both say the same, else what each says."""
    options = [
        *(["-l", question.user] if question.user else []),
        *(["-p", str(question.port)] if question.port else []),
    ]
    theirs = asked_of_ssh(file, question.alias, *options)
    try:
        ours = host_config(read([str(file)]), question, resolve=lambda name: False)
    except UsageError as fault:
        return "" if theirs is None else f"we refuse ({fault}), ssh does not"
    if theirs is None:
        return "ssh refuses, we do not"
    differ = same(ours, theirs, question, "root")
    return "; ".join(f"{keyword}: ours {mine}, ssh's {its}" for keyword, mine, its in differ)


@pytest.mark.parametrize("seed", range(6))
def test_any_config_means_what_it_means_to_ssh(ground: Callable[[str, str], Path], seed: int) -> None:
    chosen = random.Random(seed)
    for number in range(110):
        text, inner = config(chosen), config(chosen)
        file = ground(text, inner)
        question = HostQuery(
            chosen.choice(ALIASES), user=chosen.choice(("", "", "ann")), port=chosen.choice((0, 0, 2200))
        )
        why = compared(file, question)
        assert not why, f"case {number} of seed {seed}: {question}\n{text!r}\n-- inner:\n{inner!r}\n{why}"
