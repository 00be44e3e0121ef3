"""~/.ssh/config for import: what can be taken over reads back, the rest is told with its place."""

from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from multiall_cli.adapters.site.imports import import_ssh_config
from multiall_cli.domain.errors import InputFaults
from multiall_cli.domain.exits import Exit
from tests.fixtures.desk import called
from tests.fuzz.cases import cases
from tests.fuzz.documents import RANGES, SIGNS, mutated
from tests.fuzz.verdict import are_there, controls, ended_well, reads_back, within

CONFIG = """\
# servers
Include conf.d/*
Host web1 web2
    HostName %h.example.net
    User deploy
    Port=2222
    ProxyJump "bastion,x@b2:22"
    IdentityFile %d/.ssh/id
Host *.internal !web1
    User nobody
Match host db* exec "test -e /x"
    User x
Host db1
\tHostName = 192.0.2.1
\tIdentityFile ~/.ssh/db
\tProxyCommand nc %h %p
\tCompression yes
Host "bastion"
  ProxyJump none
"""
OTHER = "Host inner\n User y\nInclude ../config\nHost web1\n Port 22\n"
WORDS = (
    *SIGNS, *RANGES, "Host ", "Host", "Match all", "Include ", "Include *", "Include ~\0x", "Include \0/*", "Include [",
    "Include " + "x" * 300, "Include ~nobody/x", "Port 0", "Port 65536", "Port ٣", "Port 0022", "%%h", "%h%h", "=",
    "HostName fe80::1%eth0", "HostName ::1", "User 1000", "x" * 300,
)  # fmt: skip

configs = mutated((CONFIG, OTHER), WORDS)


def _imported(place: Path, content: bytes, other: bytes = OTHER.encode()) -> None:
    """Servers that read back as what they were, or faults; all that is told has its place."""
    (place / "conf.d").mkdir(exist_ok=True)
    files = {str(place / "config"): content, str(place / "conf.d" / "one"): other}
    for name, text in files.items():
        Path(name).write_bytes(text)
    also = files | {str(place / "conf.d" / ".." / "config"): content}
    try:
        found = import_ssh_config(place / "config")
    except InputFaults as told:
        are_there(told.faults, also)
        return
    for dropped in found.skipped:
        assert controls(str(dropped)) == set()
        assert dropped.origin.line >= 1
    reads_back(place, found)


@cases(600)
@given(configs)
@example(b"Include ~\0x")
@example(b"Include \0/*")
@example(b"\xef\xbb\xbfHost a\n User \xff")
def test_any_config_is_taken_over_or_told(own_place: Path, content: bytes) -> None:
    _imported(own_place, content)


@cases(150)
@given(configs, st.one_of(configs, st.binary(max_size=40)))
def test_included_files_are_as_hostile(own_place: Path, content: bytes, other: bytes) -> None:
    _imported(own_place, content, other)


@cases(80)
@given(configs)
def test_the_command_line_takes_it_or_tells(own_place: Path, content: bytes) -> None:
    """`inventory import`, and `init`, which reads the same file."""
    config = own_place / "home" / ".ssh" / "config"
    config.parent.mkdir(exist_ok=True)
    config.write_bytes(content)
    done = called(["inventory", "import", "ssh-config", str(config)])
    ended_well(done)
    assert done.exit in (Exit.OK, Exit.USAGE)


@pytest.mark.parametrize(
    "content", [b"Include config\n" * 12, b"Include config config config", b"Include " + b"conf* " * 12]
)
def test_files_that_include_themselves_end_soon(own_place: Path, content: bytes) -> None:
    """Sixteen deep, by twelve each: nobody waits for that."""
    (own_place / "config").write_bytes(content)
    with within(64):
        found = import_ssh_config(own_place / "config")
    assert len(found.skipped) < 5000
