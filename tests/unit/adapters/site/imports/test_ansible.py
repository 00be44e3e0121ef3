"""Import of Ansible inventories."""

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
    return [f"{one.origin.line}: {one.what}" for one in found.skipped]


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
def test_hosts_groups_and_variables_are_imported(imported, text, name):
    found = imported(text, name)
    assert not found.skipped
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
    # The innermost group's value wins.
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
    "a ansible_connection=winrm": "which selects another connection",
    "a ansible_host=-oProxyCommand=hunter2": "the variable 'ansible_host', which is not a valid address",
    "a ansible_port=hunter2": "which is not a valid port",
    "a ansible_user=-hunter2": "which is not a valid user",
    "a ansible_become=1 ansible_become_method=hunter2": "which is not a valid become",
    "a ansible_ssh_private_key_file=hunter2": "which is not a valid identity",
    "a note='hunter2 hunter2'": "which is not a valid label",
    "a state=up": "which is not a valid label",
    "a hunter2": "a word after a host that is not a variable",
    "a x='hunter2": "a line with an unmatched quote",
    "-oProxyCommand=x": "'-oProxyCommand=x' is not a valid name",
    "web[a:3]": "the hosts 'web[a:3]', whose range is not supported",
    "web[c:a]": "the hosts 'web[c:a]', whose range is not supported",
    "web[1-3]": "the hosts 'web[1-3]', whose range is not supported",
    "web[1:999999999]": "whose range is not supported",
    "[-x]\na": "'-x' is not a valid pool",
    "[failed]\na": "'failed' is not a valid pool",
    "[empty]": "the group 'empty', which has no hosts",
    "[a:hunter]\nx": "the section '[a:hunter]'",
}


@pytest.mark.parametrize(("text", "what"), DROPPED.items())
def test_skipped_entries_are_reported_without_values(imported, text, what):
    found = imported(text)
    assert any(what in one for one in told(found)), told(found)
    assert not any("hunter2" in one for one in told(found))


DROPPED_YAML = {
    "all: {hosts: {a: {x: [1]}}}": "the variable 'x', which is not a plain value",
    "all: {hosts: {a: {x: !vault y}}}": "the variable 'x', which is not a plain value",
    "all: {hosts: {a: {x: }}}": "the variable 'x', which is not a plain value",
    "all: {hosts: {a: }, plugin: x}": "the key 'plugin' of the group 'all'",
    "all: {hosts: [a]}": "the hosts of the group 'all', which are not a mapping",
    "web: {hosts: a}": "the hosts of the group 'web', which are not a mapping",
}


@pytest.mark.parametrize(("text", "what"), DROPPED_YAML.items())
def test_skipped_entries_of_yaml_are_reported(imported, text, what):
    assert any(what in one for one in told(imported(text, "hosts.yaml")))


def test_empty_sections_of_yaml_are_fine(imported):
    found = imported("all:\n  hosts:\n  children:\n    web:\n", "hosts.yaml")
    assert told(found) == ["4: the group 'web', which has no hosts"]
    assert not imported("# nothing", "hosts.yaml").servers


@pytest.mark.parametrize("text", ["[a", "- a", "a: 1\na: 2", "x"])
def test_yaml_without_an_inventory_is_an_error(imported, text):
    with pytest.raises(InputFaults):
        imported(text, "hosts.yaml")


def test_a_script_is_an_error_and_is_not_run(imported):
    with pytest.raises(InputFaults) as caught:
        imported("#!/bin/sh\ntouch ran")
    assert "is a program" in caught.value.faults[0].what


def test_an_unreadable_file_is_an_error(tmp_path):
    with pytest.raises(InputFaults):
        import_ansible(tmp_path / "nowhere")


def test_variables_in_folders_are_reported(imported, tmp_path):
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


def test_cycles_of_groups_end(imported):
    found = imported("[a]\nx\n[a:children]\nb\n[b:children]\na\n[a:vars]\nk=1")
    assert {pool.name: pool.members for pool in found.pools} == {"a": ("x",), "b": ("x",)}
    assert found.servers[0].labels == {"k": "1"}


def test_skipped_hosts_of_a_range_are_reported_once(imported):
    (one,) = told(imported("w/[1:99999]"))
    assert one == "1: 'w/1' is not a valid name (nor 99998 more of 'w/[1:99999]')"


def test_more_hosts_than_a_site_may_have_are_reported(imported):
    found = imported("a[1:60000]\nb[1:60000]\n")
    assert len(found.servers) == 60000
    assert told(found) == ["2: the hosts 'b[1:60000]', which are more than 100,000 in all"]


@pytest.mark.parametrize("method", ["su", "doas", "sudo"])
def test_the_become_method_is_imported(imported, method):
    found = imported(f"a ansible_become=yes ansible_become_method={method}\n")
    assert found.servers[0].become == Become(BecomeMethod(method))


@pytest.mark.parametrize(
    "variables",
    [
        "ansible_user={{ who }}",
        "ansible_user='a b'",
        "ansible_host={{ where }}",
        "ansible_port=x",
        "ansible_become=yes ansible_become_method=runas",
        "ansible_become=yes ansible_become_user=4294967295",
        "ansible_connection=winrm",
        "ansible_ssh_private_key_file=./key",
    ],
)
def test_a_host_is_not_imported_with_another_login(imported, variables):
    """MultiAll would log in as another user, or to another host."""
    found = imported(f"[web]\na {variables}\nb\n")
    assert [server.name for server in found.servers] == ["b"]
    assert [pool.members for pool in found.pools] == [("b",)]
    assert any("2: the host 'a', because ansible_" in one and one.endswith(" was left out") for one in told(found))


def test_an_unused_become_method_is_ignored(imported):
    assert [each.name for each in imported("a ansible_become_method=runas\n").servers] == ["a"]


JSON = """{"all": {"hosts": {"a": {"ansible_user": "x", "rack": "r1"}}, "children": {"web": {"hosts": {"b": null}}}}}"""
LISTED = """{"_meta": {"hostvars": {"a": {"ansible_user": "x", "rack": "r1"}}},
"all": {"children": ["ungrouped", "web"]}, "ungrouped": {"hosts": ["a"]},
"web": {"hosts": ["b"], "vars": {"env": "prod"}}}"""


@pytest.mark.parametrize(
    ("text", "name"), [(JSON, "hosts.json"), (LISTED, "hosts.json"), (JSON, "hosts"), (YAML, "hosts")]
)
def test_json_and_files_without_a_suffix(imported, text, name):
    found = imported(text, name)
    named = servers(found)
    assert "ungrouped" not in named
    if text != YAML:
        assert sorted(named) == ["a", "b"]
        assert (named["a"].ssh.user, named["a"].labels["rack"]) == ("x", "r1")
        assert [(pool.name, pool.members) for pool in found.pools] == [("web", ("b",))]
    else:
        assert "db5" in named


@pytest.mark.parametrize("text", ["a\n", "a:22\n", "[web]\na\n", "a ansible_user=x\n"])
def test_ini_without_a_suffix_stays_ini(imported, text):
    assert list(servers(imported(text))) == ["a"]


def test_the_priority_of_groups(imported):
    """Among groups of equal depth; depth comes first."""
    groups = "[a]\nh\n[b]\nh\n[a:vars]\nx=a\nansible_group_priority=10\n[b:vars]\nx=b\n"
    text = f"{groups}[all:vars]\nx=all\nansible_group_priority=99\n"
    found = imported(text)
    assert found.servers[0].labels == {"x": "a"}
    assert not found.skipped


@pytest.mark.parametrize(
    ("pattern", "names"),
    [
        ("db-[a:c].x", ["db-a.x", "db-b.x", "db-c.x"]),
        ("[1:2][a:c:2]", ["1a", "1c", "2a", "2c"]),
        ("n[y:B]", ["ny", "nz", "nA", "nB"]),
        ("n[:2]", ["n0", "n1", "n2"]),
        ("n2[9:11]", ["n29", "n210", "n211"]),
    ],
)
def test_ranges_of_letters_and_numbers(imported, pattern, names):
    assert list(servers(imported(pattern))) == names


def test_the_last_value_of_a_line_wins(imported):
    assert servers(imported("h ansible_port=1 ansible_port=2\n"))["h"].ssh.port == 2


def test_older_names_of_variables_win(imported):
    """As in Ansible: its ssh plugin uses the last of its names that is set, wherever it is."""
    text = "[g]\nh ansible_user=a ansible_private_key_file=/a ansible_ssh_private_key_file=/b\n[g:vars]\n"
    found = servers(imported(f"{text}ansible_ssh_user=b\n"))["h"]
    assert (found.ssh.user, found.ssh.identity) == ("b", "/b")


@pytest.mark.parametrize("method", ["ansible.builtin.sudo", "ansible.legacy.sudo", "community.general.doas"])
def test_a_become_plugin_with_its_collection(imported, method):
    found = servers(imported(f"h ansible_become=yes ansible_become_method={method}\n"))["h"]
    assert found.become.method is BecomeMethod(method.rpartition(".")[2])
