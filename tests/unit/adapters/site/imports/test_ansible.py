"""Ansible's inventories as data."""

import pytest

from multiall_cli.adapters.site.imports import import_ansible
from multiall_cli.domain.errors import InputFaults
from multiall_cli.domain.inventory import Become, BecomeMethod, Link


@pytest.fixture
def imported(tmp_path):
    def read(text, name="hosts"):
        (tmp_path / name).write_text(text)
        return import_ansible(tmp_path / name)

    return read


def servers(found):
    return {server.name: server for server in found.servers}


def told(found):
    return [f"{one.origin.line}: {one.what}" for one in found.dropped]


INI = """
mail.example.com:2222
[web]
web[01:03] ansible_host=192.0.2.1 rack=r1  # a comment
; another
[db]
db[1:5:2] ansible_become=yes ansible_become_method=doas ansible_user=own
[prod:children]
web
db
[prod:vars]
env = "prod"
ansible_user=deploy
ansible_become=true
[web:vars]
env=web
[all:vars]
env=all
site=fra
"""
YAML = """
all:
  vars: {env: all, site: fra}
  hosts: {mail.example.com: {ansible_port: 2222}}
  children:
    prod:
      vars: {env: prod, ansible_user: deploy, ansible_become: true}
      children:
        web:
          vars: {env: web}
          hosts: {'web[01:03]': {ansible_host: 192.0.2.1, rack: r1}}
        db:
          hosts: {'db[1:5:2]': {ansible_become: yes, ansible_become_method: doas, ansible_user: own}}
"""


@pytest.mark.parametrize(("text", "name"), [(INI, "hosts"), (YAML, "hosts.yml")])
def test_hosts_groups_and_variables_are_taken_over(imported, text, name):
    found = imported(text, name)
    assert not found.dropped
    named = servers(found)
    assert list(named) == ["mail.example.com", "web01", "web02", "web03", "db1", "db3", "db5"]
    assert {pool.name: pool.members for pool in found.pools} == {
        "web": ("web01", "web02", "web03"),
        "db": ("db1", "db3", "db5"),
        "prod": ("web01", "web02", "web03", "db1", "db3", "db5"),
    }
    assert named["mail.example.com"].ssh.port == 2222
    assert (named["web01"].address, named["web01"].ssh.user) == ("192.0.2.1", "deploy")
    assert named["web01"].become == Become(BecomeMethod.SUDO)
    assert (named["db1"].become, named["db1"].ssh.user) == (Become(BecomeMethod.DOAS), "own")
    # The innermost group's value holds.
    assert named["web01"].labels == {"rack": "r1", "env": "web", "site": "fra"}
    assert named["db1"].labels == {"env": "prod", "site": "fra"}
    assert named["mail.example.com"].labels == {"env": "all", "site": "fra"}


DROPPED = {
    "a x={{ y }}": "the variable 'x', which is a template",
    "a x='{% if %}'": "the variable 'x', which is a template",
    "a x=@file": "the variable 'x', which is a template",
    "a db_password=hunter2": "the variable 'db_password', which may be a secret",
    "a ansible_become_password=hunter2": "the variable 'ansible_become_password', which has no counterpart",
    "a ansible_ssh_common_args='-o ProxyCommand=hunter2'": "which has no counterpart",
    "a ansible_connection=winrm": "which names another connection",
    "a ansible_host=-oProxyCommand=hunter2": "the variable 'ansible_host', which is not taken as address",
    "a ansible_port=hunter2": "which is not taken as port",
    "a ansible_user=-hunter2": "which is not taken as user",
    "a ansible_become=1 ansible_become_method=hunter2": "which is not taken as become",
    "a ansible_ssh_private_key_file=hunter2": "which is not taken as identity",
    "a note='hunter2 hunter2'": "which does not fit a label",
    "a state=up": "which does not fit a label",
    "a hunter2": "a word behind a host that is no variable",
    "a x='hunter2": "a line with a quote without its brother",
    "-oProxyCommand=x": "'-oProxyCommand=x' is not taken as name",
    "web[a:c]": "the hosts 'web[a:c]', whose range is not read",
    "web[1:999999999]": "whose range is not read",
    "[-x]\na": "'-x' is not taken as pool",
    "[failed]\na": "'failed' is not taken as pool",
    "[empty]": "the group 'empty', which has no hosts",
    "[a:hunter]\nx": "the section '[a:hunter]'",
}


@pytest.mark.parametrize(("text", "what"), DROPPED.items())
def test_what_is_not_taken_over_is_told_without_its_value(imported, text, what):
    found = imported(text)
    assert any(what in one for one in told(found)), told(found)
    assert not any("hunter2" in one for one in told(found))


DROPPED_YAML = {
    "all: {hosts: {a: {x: [1]}}}": "the variable 'x', which is no plain value",
    "all: {hosts: {a: {x: !vault y}}}": "the variable 'x', which is no plain value",
    "all: {hosts: {a: {x: }}}": "the variable 'x', which is no plain value",
    "all: {hosts: {a: }, plugin: x}": "the key 'plugin' of the group 'all'",
    "all: {hosts: [a]}": "the hosts of the group 'all', which are no table",
    "web: {hosts: a}": "the hosts of the group 'web', which are no table",
}


@pytest.mark.parametrize(("text", "what"), DROPPED_YAML.items())
def test_what_is_not_taken_over_of_yaml_is_told(imported, text, what):
    assert any(what in one for one in told(imported(text, "hosts.yaml")))


def test_empty_sections_of_yaml_are_no_trouble(imported):
    found = imported("all:\n  hosts:\n  children:\n    web:\n", "hosts.yaml")
    assert told(found) == ["4: the group 'web', which has no hosts"]
    assert not imported("# nothing", "hosts.yaml").servers


@pytest.mark.parametrize("text", ["[a", "- a", "a: 1\na: 2", "x"])
def test_yaml_that_is_no_inventory_is_a_fault(imported, text):
    with pytest.raises(InputFaults):
        imported(text, "hosts.yaml")


def test_a_script_is_a_fault_and_is_not_run(imported):
    with pytest.raises(InputFaults) as caught:
        imported("#!/bin/sh\ntouch ran")
    assert "is a program" in caught.value.faults[0].what


def test_a_file_that_cannot_be_read_is_a_fault(tmp_path):
    with pytest.raises(InputFaults):
        import_ansible(tmp_path / "nowhere")


def test_variables_in_folders_are_told(imported, tmp_path):
    (tmp_path / "group_vars").mkdir()
    assert "1: the variables in group_vars/" in told(imported("a"))


def test_a_local_connection_is_local(imported):
    assert imported("a ansible_connection=local").servers[0].link is Link.LOCAL


def test_become_needs_to_be_switched_on(imported):
    lines = (
        "a ansible_become_method=sudo",
        "b ansible_become=no ansible_become_user=app",
        "c ansible_become=1 ansible_become_user=app",
    )
    found = imported("\n".join(lines))
    assert [server.become for server in found.servers] == [
        Become(),
        Become(),
        Become(BecomeMethod.SUDO, "app"),
    ]


def test_circles_of_groups_end(imported):
    found = imported("[a]\nx\n[a:children]\nb\n[b:children]\na\n[a:vars]\nk=1")
    assert {pool.name: pool.members for pool in found.pools} == {"a": ("x",), "b": ("x",)}
    assert found.servers[0].labels == {"k": "1"}


def test_hosts_of_a_range_that_are_not_taken_are_told_once(imported):
    (one,) = told(imported("w/[1:99999]"))
    assert one == "1: 'w/1' is not taken as name (nor 99998 more of 'w/[1:99999]')"


def test_more_hosts_than_a_site_may_have_are_told(imported):
    found = imported("a[1:60000]\nb[1:60000]\n")
    assert len(found.servers) == 60000
    assert told(found) == ["2: the hosts 'b[1:60000]', which are more than 100,000 in all"]
