"""A thousand hostile names and values of zones: refused in words, or kept as exactly one name."""

import json
import random
from pathlib import Path

import pytest

from multiall_cli.adapters.site.read import read_site
from multiall_cli.domain.errors import InputFaults
from multiall_cli.planning.zones.names import fault_of

HOSTILE = [
    "a\nb", "a\r\nwww IN A 6.6.6.6", ";", "a;b", '"', '"a"', "$INCLUDE /etc/passwd", "$ORIGIN evil.", "a b", "a\tb",
    "\\", "a\\.b", "\\065", "a\\", "(", "a(b)", "@", "@@", "*", "*.*", "a.*", "**", "..", ".", "a..b", ".a", "a.",
    "-a", "a-", "-", "_", "_a", "a" * 63, "a" * 64, ".".join(["a" * 60] * 4), ".".join(["a" * 60] * 5), "\x00",
    "\x1b[2J", "ü", "bücher", "xn--bcher-kva", "ＡＢＣ", "a\u202eb", "😀", "ß", "a。b", "%s", "{}", "${env:HOME}",
    "$(id)", "`id`", "--help", "-oProxyCommand=x", "127.0.0.1", "::1", "0", "1e3", "true", "null", "~", "#", "a#b",
    "www.example.net.", "www.example.org.", "www.example.net", "example.net.", "WWW", "wWw", "a_b", "a/b", "a:b", "a,b",
]  # fmt: skip
SIGNS = [*"abz019-_.*@;\"'\\$(){}[]#%&<>|!?:,=+~^ \t\n\r\x00\x7f", "ä", "\u200b", "😀", "IN", "$INCLUDE", "\\."]
EACH = 100  # texts for each key: a thousand in all
KEYS = ("name", "zone", "service", "fallback", "owner", "primary", "key", "file", "members", "public")


def texts(seed: int, number: int) -> list[str]:
    luck = random.Random(f"zones {seed}")
    made = ("".join(luck.choice(SIGNS) for _ in range(luck.randint(1, 12))) for _ in range(number))
    return [*HOSTILE, *made]


def document(key: str, text: str) -> dict[str, object]:
    """A site's inventory with the text in one place."""
    zone: dict[str, object] = {"primary": "192.0.2.53", "key": {"name": "k", "secret": "${env:X}"}}
    name: dict[str, object] = {"zone": "example.net", "name": "www"}
    server: dict[str, object] = {"address": "192.0.2.1"}
    match key:
        case "fallback":
            name |= {"fallback": [text], "below_minimum": "fallback"}
        case "service":
            name |= {"service": text, "port": 443}
        case "owner" | "primary" | "file":
            zone[key] = text
        case "key":
            zone["key"] = {"name": text, "secret": "${env:X}"}
        case "public":
            server["public"] = [text]
        case _:
            name[key] = text
    return {
        "servers": {"web1": server},
        "zones": {"example.net": zone},
        "pools": {"web": {"members": "web1", "dns": [name]}},
    }


@pytest.mark.parametrize("key", KEYS)
def test_hostile_texts_are_refused_or_one_name(key: str, tmp_path: Path, pytestconfig: pytest.Config) -> None:
    seed = int(pytestconfig.getoption("randomly_seed", 1))
    (tmp_path / "inventory").mkdir()
    refused = 0
    for text in texts(seed, EACH - len(HOSTILE)):
        (tmp_path / "inventory" / "a.yaml").write_text(json.dumps(document(key, text)), "utf-8")
        try:
            site = read_site(tmp_path)
        except InputFaults as fault:
            refused += 1
            assert all(each.what and each.todo and str(each).isprintable() for each in fault.faults), (seed, text)
            continue
        (pool,) = site.inventory.pools.values()
        for declared in pool.names:
            assert not fault_of(declared.name), (seed, text)
            assert declared.name.endswith("example.net."), (seed, text)
            assert all(sign.isalnum() or sign in ".-_*" for sign in declared.name), (seed, text)
        for zone in site.inventory.zones.values():
            assert (zone.name, zone.owner.isprintable(), "\n" in zone.file) == ("example.net.", True, False), (
                seed,
                text,
            )
    assert refused > 20
