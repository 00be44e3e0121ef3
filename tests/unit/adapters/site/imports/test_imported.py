"""Rendered imports read back unchanged."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from multiall_cli.adapters.site.imports import ImportResult, import_ansible, import_ssh_config, render
from multiall_cli.adapters.site.read import read_site
from multiall_cli.domain.errors import InputFaults
from multiall_cli.domain.inventory import Become, BecomeMethod, Link, Pool, Server, Ssh


def read_back(tmp_path, imported):
    (tmp_path / "inventory").mkdir(exist_ok=True)
    (tmp_path / "inventory" / "site.yaml").write_text(render(imported, "An import."), "utf-8")
    return read_site(tmp_path).inventory


names = st.from_regex(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,12}", fullmatch=True)
labels = st.dictionaries(
    st.from_regex(r"[A-Za-z_][A-Za-z0-9._-]{0,8}", fullmatch=True).filter(lambda key: key != "state"),
    st.from_regex(r"[A-Za-z0-9_][A-Za-z0-9._:/@+%-]{0,12}", fullmatch=True),
    max_size=3,
)
users = st.sampled_from(["deploy", "1000", "on", "null", "true", "_x", "a$"])
servers = st.builds(
    Server,
    name=names,
    address=names,
    link=st.sampled_from(Link),
    ssh=st.builds(
        Ssh,
        st.none() | users,
        st.none() | st.integers(1, 65535),
        st.none() | st.sampled_from(["b", "x@b:22,c", "1"]),
        st.none() | st.sampled_from(["/k", "/k: #{x}", "/é\"'\\"]),
    ),
    become=st.sampled_from([Become(), Become(BecomeMethod.SUDO), Become(BecomeMethod.DOAS, "app")]),
    labels=labels,
)


@given(st.lists(servers, max_size=4, unique_by=lambda server: server.name), st.lists(names, max_size=2, unique=True))
def test_rendered_imports_read_back(tmp_path, found, pools):
    taken = [name for name in pools if name not in ("failed", "deferred")]
    members = tuple(server.name for server in found)
    imported = ImportResult(tuple(found), tuple(Pool(name, members) for name in taken) if members else ())
    inventory = read_back(tmp_path, imported)
    assert tuple(inventory.servers.values()) == imported.servers
    assert tuple(inventory.pools.values()) == imported.pools
    assert render(imported, "x") == render(imported, "x")


HOSTILE = [
    "-oProxyCommand=touch x",
    "$(x)",
    "`x`",
    "a;b",
    "../../etc/passwd",
    "a\x1b[31mb",
    "a\\nb",
    "{{ x }}",
    "a'b",
    'a"b',
]


@pytest.mark.parametrize("word", HOSTILE)
def test_hostile_words_never_reach_a_site(tmp_path, word):
    keys = ("ansible_host", "ansible_user", "ansible_ssh_private_key_file", "note")
    files = {
        "config": f"Host {word}\nHost a\n HostName {word}\n User {word}\n ProxyJump {word}\n Port {word}\n",
        "hosts": f"{word}\nb {' '.join(f'{key}={word}' for key in keys)}\n[{word}]\nb\n",
        "hosts.yaml": json.dumps(
            {"all": {"hosts": {word: {}, "c": dict.fromkeys(keys, word)}, "children": {word: {}}}}
        ),
    }
    for name, text in files.items():
        (tmp_path / name).write_text(text, "utf-8")
    for read, name in ((import_ssh_config, "config"), (import_ansible, "hosts"), (import_ansible, "hosts.yaml")):
        imported, told = ImportResult(()), ()
        try:
            imported = read(tmp_path / name)
        except InputFaults as error:
            told = error.faults
        read_back(tmp_path, imported)
        assert told or imported.skipped
        assert word not in render(imported, "")
        assert all(str(one).isprintable() for one in (*told, *imported.skipped))
