"""Ansible inventories for import, INI and YAML: what can be taken over reads back, the rest is told with its place."""

from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from multiall_cli.adapters.site.imports import import_ansible
from multiall_cli.domain.errors import InputFaults
from multiall_cli.domain.exits import Exit
from tests.fixtures.desk import called
from tests.fuzz.cases import cases
from tests.fuzz.documents import RANGES, SIGNS, YAML, as_text, mutated, nasty, reshaped
from tests.fuzz.verdict import are_there, controls, ended_well, reads_back, within

INI = """\
bastion ansible_host=192.0.2.1 ansible_port=2222
[web]
web[1:3] ansible_user=deploy rack=r1 # racks
web[01:10:3]:22
db.example.net ansible_ssh_private_key_file=~/.ssh/id ansible_password="p w"
[all:vars]
ansible_become=yes
ansible_become_user=app
site='fra'
[site:children]
web
db
[db]
db1 ansible_connection=local note={{ x }}
[site:vars]
ansible_ssh_common_args='-o ProxyJump=x'
"""
YML = """\
all:
  vars: {ansible_become: true, rack: r1}
  hosts:
    web[1:3]: {ansible_host: 192.0.2.1, ansible_port: 22}
    lone:
  children:
    web:
      hosts: {web1: {}, web2: {ansible_user: deploy}}
      vars: {ansible_become_method: sudo, secret: !vault x, list: [1, 2]}
    site:
      children: {web: {}, all: {}}
"""
TREE = {
    "all": {
        "hosts": {"a": {"ansible_port": 22, "rack": "r1"}, "b[1:3]": None},
        "vars": {"ansible_user": "x", "ansible_become": True, "n": 1},
        "children": {"web": {"hosts": {"a": {}}, "children": {"all": {}}}, "empty": {}},
    },
    "db": {"hosts": {"c": {"ansible_host": "::1"}}},
}
WORDS = (
    *SIGNS, *RANGES, "[1:3]", "[1:99999]", "[a:z]", "[web:vars]", "[web:children]", "[x:y:z]", "[all]", "[ungrouped]",
    "[failed]", "web:children", "ansible_port=0", "ansible_host=-x", "=x", "x=", "{{ x }}", "{% x %}", "@x", "state=up",
    "ansible_become_method=su", "ansible_connection=winrm", "'", '"', "#", ";",
)  # fmt: skip

inis = mutated((INI,), WORDS)
yamls = st.one_of(mutated((YML,), (*WORDS, *YAML)), reshaped((TREE,), nasty).map(as_text))


def _imported(place: Path, name: str, content: bytes) -> None:
    file = place / name
    file.write_bytes(content)
    try:
        found = import_ansible(file)
    except InputFaults as told:
        are_there(told.faults, {str(file): content})
        return
    for dropped in found.skipped:
        assert controls(str(dropped)) == set()
        assert 1 <= dropped.origin.line <= content.count(b"\n") + 1
    reads_back(place, found)


@cases(700)
@given(inis)
@example(b"\xef\xbb\xbfa\n\xff")
def test_any_ini_is_taken_over_or_told(own_place: Path, content: bytes) -> None:
    _imported(own_place, "hosts", content)


@cases(600)
@given(yamls)
def test_any_yaml_is_taken_over_or_told(own_place: Path, content: bytes) -> None:
    _imported(own_place, "hosts.yaml", content)


@cases(80)
@given(st.one_of(inis, yamls), st.sampled_from(["hosts", "hosts.yml", "h\x1b[31m.yaml", "caf\udce9"]))
def test_the_command_line_takes_it_or_tells(own_place: Path, content: bytes, name: str) -> None:
    (own_place / name).write_bytes(content)
    done = called(["inventory", "import", "ansible", name])
    ended_well(done)
    assert done.exit in (Exit.OK, Exit.USAGE)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("hosts", "web[1:999999999]\n"),
        ("hosts", "web" + "[1:99999]" * 400),
        ("hosts", "w/[1:99999]\n"),
        ("hosts", "".join(f"[g{at}:children]\ng{(at + 1) % 300}\n" for at in range(300))),
        ("hosts.yaml", "a: &a {hosts: {x: }}\n" + "b: {children: " + "{a: {children: " * 15 + "*a" + "}}" * 15 + "}"),
        ("hosts.yaml", "[" * 100_000),
    ],
)
def test_a_bomb_is_told_and_not_the_end(own_place: Path, name: str, content: str) -> None:
    (own_place / name).write_text(content)
    with within(64):
        try:
            told: object = import_ansible(own_place / name).skipped
        except InputFaults as faults:
            told = faults.faults
    assert len(repr(told)) < 1e6
