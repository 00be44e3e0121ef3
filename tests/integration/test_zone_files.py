"""Zones in files on this host: real named, rndc and named-checkzone."""

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from multiall_cli.adapters.dns.servers import DnsServers
from multiall_cli.adapters.dns.zone_files import ZoneFiles
from multiall_cli.adapters.local import LocalTransport
from multiall_cli.domain.change import Change
from multiall_cli.domain.errors import MemberFault
from multiall_cli.domain.inventory import Link, Server
from multiall_cli.domain.records import RRset
from multiall_cli.domain.zones import NameServer, Zone
from multiall_cli.planning.zones.ownership import OwnershipRecord, digest
from multiall_cli.ports.session import Completed, Session
from tests.fixtures.bind9 import NAMED, PATH, SECRET, ZONE, Named, ports

pytestmark = pytest.mark.skipif(NAMED is None, reason="there is no named: install bind9")

HERE = Server("ns1", "127.0.0.1", Link.LOCAL)
WWW = Change("www.f.test A", None, RRset(60, ("192.0.2.1",), "web"))
MARK = OwnershipRecord("multiall", "web", digest(["192.0.2.1"]), 1).text
RNDC = """key "multiall" {{ algorithm hmac-sha256; secret "{secret}"; }};
options {{ default-key "multiall"; default-server 127.0.0.1; default-port {port}; }};
"""


@dataclass
class Here:
    """A session with this host that finds our rndc first."""

    session: Session
    path: str

    @property
    def server(self) -> Server:
        return self.session.server

    def run(self, argv: Sequence[str], *more: Any, **named: Any) -> Completed:
        return self.session.run(["env", f"PATH={self.path}", *argv], *more, **named)

    def call(self, *more: Any, **named: Any) -> Any:
        return self.session.call(*more, **named)

    def close(self) -> None:
        self.session.close()


@dataclass
class Primary:
    """named with one zone in a file of the folder `zones`, which is its own."""

    named: Named
    zone: Zone
    files: ZoneFiles
    folder: Path

    def write(self, text: str) -> None:
        (self.folder / "f.zone").write_text(text)
        self.named.start()
        self.named.wait()


def _pushed(servers: Sequence[Server], contents: Mapping[str, bytes]) -> Mapping[str, str]:
    for path, content in contents.items():
        Path(path).write_bytes(content)
    return {}


@pytest.fixture
def primary(tmp_path: Path) -> Iterator[Primary]:
    port, control = ports(2)
    folder, tools = tmp_path / "zones", tmp_path / "bin"
    folder.mkdir()
    tools.mkdir()
    (tools / "rndc.conf").write_text(RNDC.format(secret=SECRET, port=control))
    (tools / "rndc").write_text(f'#!/bin/sh\nPATH={PATH} exec rndc -c {tools}/rndc.conf "$@"\n')
    (tools / "rndc").chmod(0o755)
    named = Named(folder, port, {"f.test": 'type primary; file "f.zone";'})
    named.controls = f'inet 127.0.0.1 port {control} allow {{ 127.0.0.1; }} keys {{ "multiall"; }};'
    zone = Zone("f.test.", NameServer("ns1", "127.0.0.1", port), file=str(folder / "f.zone"))
    transport, path = LocalTransport(10.0), f"{tools}:{PATH}"
    queries = DnsServers(lambda secret: "", 3.0, nullcontext)
    files = ZoneFiles(queries, {"ns1": HERE}, lambda server: Here(transport.open(server), path), _pushed)  # type: ignore[arg-type,return-value]
    yield Primary(named, zone, files, folder)
    named.end()


def test_relative_includes_go_by_the_folder_of_named(primary: Primary) -> None:
    (primary.folder / "sub").mkdir()
    (primary.folder / "sub" / "mail").write_text("mail IN A 192.0.2.9\n")
    primary.write(ZONE.format(zone="f.test", more="$INCLUDE sub/mail"))
    content = primary.files.read(primary.zone)
    assert content.rrsets["mail.f.test.", "A"].values == ("192.0.2.9",)
    done = primary.files.write(primary.zone, [(WWW, MARK)], content.soa)
    assert done.done == {"www.f.test A"}
    assert primary.named.lookup("www.f.test") == {"192.0.2.1"}
    assert primary.named.lookup("mail.f.test") == {"192.0.2.9"}


def test_a_fragment_is_found_by_its_whole_name(primary: Primary) -> None:
    """Another file of the same name, in another folder, is included before it."""
    for folder in ("other", "ours"):
        (primary.folder / folder).mkdir()
        (primary.folder / folder / "names").write_text(f"{folder} IN A 192.0.2.8\n" if folder == "other" else "")
    primary.write(ZONE.format(zone="f.test", more="$INCLUDE other/names\n$INCLUDE ours/names"))
    zone = replace(primary.zone, fragment=str(primary.folder / "ours" / "names"))
    content = primary.files.read(zone)
    assert primary.files.write(zone, [(WWW, MARK)], content.soa).done == {"www.f.test A"}
    assert primary.named.lookup("other.f.test") == {"192.0.2.8"}
    assert primary.named.lookup("www.f.test") == {"192.0.2.1"}


def test_the_doctor_finds_a_serial_that_a_sync_could_not_change(primary: Primary) -> None:
    soa, rest = ZONE.format(zone="f.test", more="").split("\n", 2)[1:]
    (primary.folder / "soa").write_text(soa + "\n")
    primary.write(f"$TTL 300\n$INCLUDE soa\n{rest}")
    with pytest.raises(MemberFault, match="has no serial; put its SOA record into this file"):
        primary.files.may_write(primary.zone)


def test_the_doctor_finds_a_fragment_that_is_not_included(primary: Primary) -> None:
    primary.write(ZONE.format(zone="f.test", more=""))
    primary.files.may_write(primary.zone)
    (primary.folder / "names").write_text("")
    with pytest.raises(MemberFault, match="does not include"):
        primary.files.may_write(replace(primary.zone, fragment=str(primary.folder / "names")))


def _linked(primary: Primary) -> tuple[Path, Path]:
    """The zone's file as a link into a checkout, over another link."""
    primary.write(ZONE.format(zone="f.test", more=""))
    file, checkout = primary.folder / "f.zone", primary.folder.parent / "checkout"
    checkout.mkdir()
    os.rename(file, checkout / "real.zone")
    (checkout / "current").symlink_to("real.zone")
    file.symlink_to("../checkout/current")
    return file, checkout / "real.zone"


def test_what_a_trusted_link_leads_to_is_written(primary: Primary) -> None:
    """A zone file in a checkout: the link stays a link."""
    file, real = _linked(primary)
    primary.files.may_reload(primary.zone, primary.zone.primary)
    content = primary.files.read(primary.zone)
    assert primary.files.write(primary.zone, [(WWW, MARK)], content.soa).done == {"www.f.test A"}
    assert (file.is_symlink(), real.is_symlink(), MARK in real.read_text()) == (True, False, True)
    assert primary.named.lookup("www.f.test") == {"192.0.2.1"}
    assert not [*primary.folder.glob("*.multiall*"), *real.parent.glob("*.multiall*")]


def test_a_fragment_that_is_a_link_is_written_where_it_leads_to(primary: Primary) -> None:
    names, real = primary.folder / "names", primary.folder.parent / "real.names"
    real.write_text("")
    names.symlink_to(real)
    primary.write(ZONE.format(zone="f.test", more="$INCLUDE names"))
    zone = replace(primary.zone, fragment=str(names))
    content = primary.files.read(zone)
    assert primary.files.write(zone, [(WWW, MARK)], content.soa).done == {"www.f.test A"}
    assert (names.is_symlink(), MARK in real.read_text()) == (True, True)
    assert primary.named.lookup("www.f.test") == {"192.0.2.1"}


def test_a_link_that_others_can_have_put_there_is_refused(primary: Primary) -> None:
    """In a folder that everyone may write to; nothing is written, and what it leads to is named."""
    file, real = _linked(primary)
    before = real.read_text()
    content = primary.files.read(primary.zone)
    real.parent.chmod(0o777)
    for act in (
        lambda: primary.files.write(primary.zone, [(WWW, MARK)], content.soa),
        lambda: primary.files.may_reload(primary.zone, primary.zone.primary),
    ):
        with pytest.raises(
            MemberFault,
            match=r"current is a link of user \d+ in a folder that .* can write to, to real\.zone; .*not safe",
        ):
            act()
    assert (file.is_symlink(), real.read_text()) == (True, before)
    assert not [*primary.folder.glob("*.multiall*"), *real.parent.glob("*.multiall*")]


def test_the_doctor_finds_a_file_that_is_not_there(primary: Primary) -> None:
    primary.write(ZONE.format(zone="f.test", more=""))
    primary.files.may_reload(primary.zone, primary.zone.primary)
    gone = replace(primary.zone, file=str(primary.folder / "gone"))
    with pytest.raises(MemberFault, match="gone is no file"):
        primary.files.may_reload(gone, primary.zone.primary)
