"""The files of inventory/: whatever they hold, the site or every fault with its place; in bounded memory."""

from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from multiall_cli.adapters.site.read import read_site
from multiall_cli.domain.errors import InputFaults
from multiall_cli.domain.exits import Exit
from multiall_cli.planning.merge import effective_files, explain
from tests.fixtures.desk import called
from tests.fuzz.cases import cases
from tests.fuzz.documents import RANGES, SIGNS, YAML, as_text, mutated, nasty, reshaped
from tests.fuzz.verdict import are_there, ended_well, within

EXAMPLE = (Path(__file__).parents[2] / "inventory" / "example.yaml").read_text("utf-8")
SMALL = """\
servers:
  web[1-3]: {address: '192.0.2.[11-13]', labels: {rack: r1}, become: {method: sudo, user: app}}
  db1: &db
    ssh: {user: deploy, port: 22, jump: web1, identity: ~/.ssh/id, password: '${env:X}'}
  db2: *db
pools:
  web:
    members: [web1, 'rack=r1 & !web3', '@all']
    priority: 3
    files:
    - {path: /srv/www, source: ./www, exclude: ['*.log'], delete: true, owner: 'a:b', trash: 7d,
       mode: {files: '0644', dirs: '0755'}, times: true, xattrs: false,
       after: [{reload: nginx, watch: ['*.conf']}, {run: [a, b]}]}
    - {path: ~/home, source: db1}
    rollout: {batch: [1, 25%], max_fail: 10%}
  all:
    members: "*"
    files: [{path: /srv/www/in, source: /x}]
"""
TREE = {
    "servers": {
        "web[1-3]": {"address": "192.0.2.[11-13]", "labels": {"rack": "r1"}, "become": "sudo"},
        "db1": {"ssh": {"user": "deploy", "port": 22, "jump": "web1", "identity": "~/x", "password": "${env:X}"}},
        "here": {"transport": "local", "become": {"method": "doas", "user": "app", "password": "${file:./x}"}},
    },
    "pools": {
        "web": {
            "members": ["web1", "rack=r1 & !web3", "@all"],
            "priority": 3,
            "files": [
                {"path": "/srv/www", "source": "./www", "exclude": ["*.log"], "delete": "deployed", "owner": 7}
                | {"mode": {"files": "0644", "dirs": 755}, "times": True, "xattrs": False, "trash": 0}
                | {"after": [{"reload": "nginx", "watch": ["*.conf"]}, {"run": ["a", 1]}, {"restart": "x"}]}
            ],
            "rollout": {"batch": [1, "25%"], "max_fail": "10%"},
        },
        "all": {"members": "*", "files": [{"path": "/srv/www", "source": "web1"}]},
    },
}
WORDS = (*SIGNS, *YAML, *RANGES)

texts = mutated((EXAMPLE, SMALL), WORDS)
trees = reshaped((TREE,), nasty).map(as_text)


def _written(root: Path, files: dict[str, bytes]) -> None:
    for name, content in files.items():
        (root / name).parent.mkdir(exist_ok=True)
        (root / name).write_bytes(content)


def _read(root: Path, files: dict[str, bytes]) -> None:
    """A site or faults; and of a site, all that is made of it."""
    _written(root, files)
    try:
        site = read_site(root)
    except InputFaults as told:
        assert told.faults
        are_there(told.faults, files)
        return
    for name in list(site.inventory.servers)[:3]:
        explain(site.inventory, name)
        effective_files(site.inventory, name)
    for pool in site.inventory.pools.values():
        assert pool.members
        assert set(pool.members) <= set(site.inventory.servers)


@cases(600)
@given(texts)
@example(b"a: [" * 2000)
@example(b"\xef\xbb\xbfservers:\n  a: \xff")
@example(b"servers: {a: }\r# one\rpools: 3\r")
@example("servers:\n  # \u2028\n  a: 3".encode())
def test_any_text_is_a_site_or_faults_with_their_places(own_place: Path, content: bytes) -> None:
    _read(own_place, {"inventory/site.yaml": content})


@cases(500)
@given(trees)
def test_any_shape_is_a_site_or_faults_with_their_places(own_place: Path, content: bytes) -> None:
    _read(own_place, {"inventory/site.yaml": content})


@cases(100)
@given(st.binary(max_size=60), texts)
def test_several_files_are_one_site(own_place: Path, noise: bytes, content: bytes) -> None:
    """A fault names the file that it is in."""
    files = {"inventory/a.yaml": content, "inventory/b.yml": noise, "inventory/c.yaml": SMALL.encode()}
    _read(own_place, files)


@cases(150)
@given(st.one_of(texts, trees), st.sampled_from(["table", "json", "yaml", "ndjson", "name", "junit", "github"]))
def test_the_command_line_says_every_fault(own_place: Path, content: bytes, form: str) -> None:
    """In every format, with its place, and nothing that a terminal would obey."""
    _written(own_place, {"inventory/site.yaml": content})
    done = called(["--site", str(own_place), "-o", form, "inventory", "check"])
    ended_well(done)
    assert done.exit in (Exit.OK, Exit.USAGE)
    if done.exit == Exit.USAGE and form == "table":
        *faults, last = done.err.splitlines()
        assert all(line.startswith("inventory/site.yaml:") for line in faults)
        assert last.startswith(f"site: {len(faults)} fault")


BOMBS = {
    "aliases": "a: &a [x, x, x, x, x, x, x, x, x]\n"
    + "".join(f"{chr(98 + at)}: &{chr(98 + at)} [{', '.join(['*' + chr(97 + at)] * 9)}]\n" for at in range(9)),
    "a range": "servers: {'web[1-999999999]': {}}",
    "many ranges": f"servers: {{'web{'[0-99999]' * 400}': {{}}}}",
    "longer than a number": f"servers: {{'web{'[0-9]' * 5000}': {{}}}}",
    "a range of addresses": "servers: {w: {address: '10.0.0.[1-999999999]'}}",
    "members": f"servers: {{w: }}\npools: {{p: {{members: 'w{'[0-99999]' * 400}'}}}}",
    "nesting": "[" * 100_000,
    "open tables": "{a: " * 20_000,
    "a long number": "servers: {w: {ssh: {port: " + "9" * 100_000 + "}}}",
    "a long row": "servers: {w: {labels: {a: '" + "[a" * 100_000 + "'}}} }",
    "wildcards": "servers: {'" + "a" * 200 + "': }\npools: {p: {members: '" + "*a" * 12 + "*b'}}",
}


@pytest.mark.parametrize("bomb", BOMBS)
def test_a_bomb_is_a_fault_and_not_the_end(own_place: Path, bomb: str) -> None:
    """A few kilobytes that stand for gigabytes or for hours."""
    files = {"inventory/site.yaml": BOMBS[bomb].encode()}
    _written(own_place, files)
    with within(64), pytest.raises(InputFaults) as told:
        read_site(own_place)
    are_there(told.value.faults, files)
    assert sum(len(str(fault)) for fault in told.value.faults) < 1e6
