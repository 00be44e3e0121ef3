"""What must hold whatever came in: how a command line may end, what may reach a terminal, where a fault may be."""

import tracemalloc
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from os.path import expanduser, normpath
from pathlib import Path

from multiall_cli.adapters.site.imports import ImportResult, render
from multiall_cli.adapters.site.read import read_site
from multiall_cli.domain.errors import Fault
from multiall_cli.domain.exits import Exit
from multiall_cli.domain.inventory import Server
from tests.fixtures.desk import Done

_BIDI = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def controls(text: str) -> set[str]:
    """What of a text a terminal obeys, or what changes the order in which it is read."""
    if text.isprintable():
        return set()
    return {sign for sign in set(text) if unicodedata.category(sign) in ("Cc", "Cs", "Zl", "Zp") or sign in _BIDI}


def ended_well(done: Done) -> None:
    """An exit code of the table, no fault of ours, and nothing that a terminal would obey."""
    assert done.exit in set(Exit), done
    for told in (done.out, done.err):
        assert "a fault of MultiAll itself" not in told, done
        assert "Traceback (most recent" not in told, done
        assert controls(told) <= {"\n", "\t"}, done


def are_there(faults: Iterable[Fault], files: Mapping[str, bytes], *, just: bool = True) -> None:
    """Every fault names a file, and a line and a column that this file has.

    `just`: no other file can be at fault. A place may be one behind the last line, and one behind a line's end.
    """
    for fault in faults:
        assert str(fault.origin).count(":") >= 2, fault
        assert fault.what, fault
        assert fault.todo, fault
        if fault.origin.file not in files:
            assert not just, fault
            continue
        lines = files[fault.origin.file].split(b"\n")
        assert 1 <= fault.origin.line <= len(lines) + 1, (fault, lines)
        line = lines[fault.origin.line - 1] if fault.origin.line <= len(lines) else b""
        assert 1 <= fault.origin.column <= len(line) + 1, (fault, line)


def reads_back(place: Path, found: ImportResult) -> None:
    """An import, written as an inventory, is read without faults and says the same; `~/` is the admin's home then."""
    (place / "inventory").mkdir(exist_ok=True)
    (place / "inventory" / "site.yaml").write_text(render(found, "An import."), "utf-8")
    inventory = read_site(place).inventory
    assert tuple(inventory.servers.values()) == tuple(map(_as_read, found.servers))
    assert {name: pool.members for name, pool in inventory.pools.items()} == {
        pool.name: pool.members for pool in found.pools
    }


def _as_read(server: Server) -> Server:
    identity = server.ssh.identity
    read = normpath(expanduser(identity)) if identity else None
    return replace(server, ssh=replace(server.ssh, identity=read))


@contextmanager
def within(megabytes: float) -> Iterator[None]:
    """Python holds at no time more than so much more than before."""
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        tracemalloc.reset_peak()
        yield
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak - before < megabytes * 1e6, f"{(peak - before) / 1e6:.1f} MB at its peak, the limit is {megabytes} MB"
