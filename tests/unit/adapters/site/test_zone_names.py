"""DNS names in site files: invalid ones are reported when the site is read."""

import json
from collections.abc import Mapping
from pathlib import Path

import pytest

from multiall_cli.adapters.site.read import read_site
from multiall_cli.domain.errors import InputFaults
from multiall_cli.domain.inventory import Inventory
from multiall_cli.planning.addresses import shared_logins

LONG = ".".join(["a" * 50] * 5)


def read(folder: Path, *names: Mapping[str, object], zones: tuple[str, ...] = ("example.net",)) -> Inventory:
    text = {
        "servers": {"web1": {"address": "192.0.2.1"}},
        "zones": {each: {"primary": "192.0.2.53"} for each in zones},
        "pools": {"web": {"members": "web1", "dns": list(names)}},
    }
    (folder / "inventory").mkdir(exist_ok=True)
    (folder / "inventory" / "site.yaml").write_text(json.dumps(text))
    return read_site(folder).inventory


def told(folder: Path, *names: Mapping[str, object], zones: tuple[str, ...] = ("example.net",)) -> str:
    with pytest.raises(InputFaults) as caught:
        read(folder, *names, zones=zones)
    (fault,) = caught.value.faults
    return str(fault).partition(" ")[2]


def test_a_name_is_in_its_zone(tmp_path: Path) -> None:
    (found,) = read(tmp_path, {"zone": "example.net", "name": "WWW"}).pools["web"].names
    assert (found.zone, found.name) == ("example.net.", "www.example.net.")


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("www..", "empty"),
        ("www.example.net..", "empty"),
        ("\u212aube", "letters beyond ASCII"),
        ("www;x", "'www;x'"),
        ("$INCLUDE", "'$include'"),
        ("-www", "'-www'"),
        (LONG[:230], "has 242 signs, more than 237"),
    ],
)
def test_an_invalid_name_is_reported(tmp_path: Path, name: str, says: str) -> None:
    assert says.replace("empty", "has the label ''") in told(tmp_path, {"zone": "example.net", "name": name})


@pytest.mark.parametrize(
    ("name", "service", "says"),
    [
        (LONG[:220], "_https._tcp", "the name of the service has 244 signs, more than 237"),
        ("www", "_-._tcp", "the name of the service has the label '_-'"),
    ],
)
def test_an_invalid_service_is_reported(tmp_path: Path, name: str, service: str, says: str) -> None:
    assert says in told(tmp_path, {"zone": "example.net", "name": name, "service": service, "port": 443})


@pytest.mark.parametrize("name", ["www.b", "b"])
def test_a_name_of_a_nearer_zone_is_reported(tmp_path: Path, name: str) -> None:
    """Its names are never looked up in the zone above."""
    zones = ("example.net", "b.example.net")
    assert "is in the zone 'b.example.net', which is below 'example.net'" in told(
        tmp_path, {"zone": "example.net", "name": name}, zones=zones
    )
    assert read(tmp_path, {"zone": "b.example.net", "name": "www"}, zones=zones)


def test_an_invalid_zone_is_reported_once(tmp_path: Path) -> None:
    text = {
        "servers": {"web1": {"address": "192.0.2.1"}},
        "zones": {"example.net": {"primary": "ns1.nowhere"}},
        "pools": {"web": {"members": "web1", "dns": [{"zone": "example.net", "name": "a"}, {"zone": "example.net."}]}},
    }
    (tmp_path / "inventory").mkdir()
    (tmp_path / "inventory" / "site.yaml").write_text(json.dumps(text))
    with pytest.raises(InputFaults) as caught:
        read_site(tmp_path)
    assert ["'ns1.nowhere' is not a name server" in str(each) for each in caught.value.faults] == [True]


def _site(folder: Path, servers: Mapping[str, object], *names: Mapping[str, object]) -> Path:
    text = {
        "servers": servers,
        "zones": {"example.net": {"primary": "192.0.2.53"}},
        "pools": {"web": {"members": "web[1-2]", "dns": list(names)}},
    }
    (folder / "inventory").mkdir(exist_ok=True)
    (folder / "inventory" / "site.yaml").write_text(json.dumps(text, indent=1))
    return folder


@pytest.mark.parametrize(
    ("first", "second", "more"),
    [
        ({"address": "192.0.2.1"}, {"address": "192.0.2.1", "ssh": {"port": 2222}}, {}),
        ({"address": "192.0.2.1"}, {"address": "192.0.2.2", "public": ["192.0.2.1"]}, {}),
        ({"address": "2001:db8::1"}, {"address": "2001:DB8:0::1"}, {}),
        ({"address": "192.0.2.1"}, {"address": "192.0.2.1"}, {"cname": True}),
        ({"address": "192.0.2.1"}, {"address": "192.0.2.1"}, {"service": "_http._tcp", "port": 80}),
    ],
)
def test_two_members_may_not_give_a_name_the_same_address(
    tmp_path: Path, first: object, second: object, more: Mapping[str, object]
) -> None:
    """The address of a drained member would stay in the name through the other one."""
    servers = {"web1": first, "web2": second}
    with pytest.raises(InputFaults) as caught:
        read_site(_site(tmp_path, servers, {"zone": "example.net", "name": "www", **more}))
    (fault,) = caught.value.faults
    assert fault.what.startswith("web1 (inventory/site.yaml:")
    assert ") and web2 (inventory/site.yaml:" in fault.what


@pytest.mark.parametrize(
    ("names", "warnings"),
    [
        ({"web1": {"address": "192.0.2.1"}, "web2": {"address": "192.0.2.1"}}, 1),
        ({"web1": {"address": "192.0.2.1"}, "web2": {"address": "192.0.2.1", "ssh": {"port": 2222}}}, 0),
        ({"web1": {"address": "192.0.2.1"}, "web2": {"address": "192.0.2.1", "ssh": {"jump": "web1"}}}, 0),
        ({"web1": {"address": "a.example"}, "web2": {"address": "A.example"}}, 1),
    ],
)
def test_one_address_and_port_for_two_servers_is_a_warning(
    tmp_path: Path, names: Mapping[str, object], warnings: int
) -> None:
    found = shared_logins(read_site(_site(tmp_path, names)).inventory.servers.values())
    assert [each.what.startswith("web2 has the same address") for each in found] == [True] * warnings
