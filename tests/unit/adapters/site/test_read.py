"""Sites on disk: their values, and every error of every file."""

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from multiall_cli.adapters.site import read
from multiall_cli.adapters.site.read import built_in, find_site, is_site, read_site
from multiall_cli.domain.errors import InputFaults, UsageError
from multiall_cli.domain.inventory import (
    After,
    Become,
    BecomeMethod,
    Delete,
    GuardLimit,
    Link,
    Rollout,
    Settings,
    Site,
    Ssh,
    Window,
)
from multiall_cli.domain.values import Amount, Secret
from tests.scale import examples


@pytest.fixture
def site(tmp_path):
    """Return a function that writes files into a new site and reads it."""

    def made(inventory="", **files):
        texts = {"inventory/site.yaml": inventory, **{name.replace("__", "/"): text for name, text in files.items()}}
        for name, text in texts.items():
            path = tmp_path / (name if name.endswith(".yaml") else f"{name}.yaml")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text or "# nothing", "utf-8")
        return read_site(tmp_path)

    return made


def told(site, inventory, **files):
    with pytest.raises(InputFaults) as caught:
        site(inventory, **files)
    return [str(fault) for fault in caught.value.faults]


def only(site, inventory, **files):
    (fault,) = told(site, inventory, **files)
    return fault


def test_ranges_of_names_and_addresses_go_together(site):
    servers = site("servers: {'web[1-2]': {address: '192.0.2.[11-12]'}, db: }").inventory.servers
    assert {name: server.address for name, server in servers.items()} == {
        "web1": "192.0.2.11",
        "web2": "192.0.2.12",
        "db": "db",
    }


def test_every_key_of_a_server(site, tmp_path):
    text = """
servers:
  a:
    address: 2001:db8::1
    transport: local
    ssh: {user: 1000, port: 2222, jump: x@b:22, identity: ./keys/id, password: '${env:X}'}
    become: {method: doas, user: app, password: '${file:./secret}'}
    labels: {rack: 007, on: yes, ok: true, v: 1.10}
"""
    server = site(text).inventory.servers["a"]
    assert server.address == "2001:db8::1"
    assert server.link is Link.LOCAL
    assert server.ssh == Ssh("1000", 2222, "x@b:22", f"{tmp_path}/keys/id", Secret("env", "X"))
    assert server.become == Become(BecomeMethod.DOAS, "app", Secret("file", f"{tmp_path}/secret"))
    assert server.labels == {"rack": "007", "on": "yes", "ok": "true", "v": "1.10"}
    assert str(server.origin) == "inventory/site.yaml:3:3"
    assert str(server.where["ssh.user"]) == "inventory/site.yaml:6:17"
    assert str(server.where["labels.rack"]) == "inventory/site.yaml:8:20"


def test_every_key_of_a_pool(site, tmp_path):
    text = """
servers: {'web[1-3]': }
pools:
  web:
    members: [web1, 'web[2-3]']
    priority: -2
    files:
      - path: /srv/www/
        source: ./trees/../www
        exclude: ['*.log', 'cache/']
        delete: deployed
        owner: www-data:33
        mode: {files: 0644, dirs: '0755'}
        times: true
        xattrs: true
        trash: 0
        after: [{reload: nginx, watch: ['*.conf']}, {run: [sleep, 5]}]
      - {path: ~/app, source: web1, delete: true, trash: 30d}
      - {path: /opt/x, source: 'member:web2'}
    rollout: {batch: [1, 25%], max_fail: 10%}
"""
    pool = site(text).inventory.pools["web"]
    first, second, third = pool.files
    assert pool.members == ("web1", "web2", "web3")
    assert (pool.priority, pool.rollout) == (-2, Rollout((Amount(1), Amount(25, True)), Amount(10, True)))
    assert (first.path, first.source, first.from_member) == ("/srv/www", f"{tmp_path}/www", False)
    assert first.exclude == ("*.log", "cache/")
    assert (first.delete, first.owner, first.group) == (Delete.DEPLOYED, "www-data", "33")
    assert (first.file_mode, first.dir_mode, first.times, first.xattrs) == (0o644, 0o755, True, True)
    assert first.trash == 0
    assert first.after == (After("reload", ("nginx",), ("*.conf",)), After("run", ("sleep", "5")))
    assert (first.pools, str(first.origin)) == (("web",), "inventory/site.yaml:8:9")
    assert str(first.where["mode.files"]) == "inventory/site.yaml:13:23"
    assert (second.path, second.source, second.from_member) == ("~/app", "web1", True)
    assert (second.delete, second.times, second.trash) == (Delete.EVERYTHING, True, 30)
    assert (third.source, third.from_member) == ("web2", True)


def test_times_count_only_if_the_source_is_a_member(site):
    text = "servers: {a: }\npools: {p: {members: a, files: [{path: /x, source: ./x}, {path: /y, source: a}]}}"
    folder, member = site(text).inventory.pools["p"].files
    assert (folder.times, member.times) == (False, True)
    assert (folder.delete, folder.trash) == (Delete.NOTHING, 7)


@pytest.mark.parametrize(
    ("batch", "amounts"), [("2", (Amount(2),)), ("10%", (Amount(10, True),)), ("'3'", (Amount(3),))]
)
def test_a_single_batch(site, batch, amounts):
    pool = site(f"servers: {{a: }}\npools: {{p: {{members: a, rollout: {{batch: {batch}}}}}}}").inventory.pools["p"]
    assert pool.rollout.batch == amounts


def test_pools_may_name_pools_in_any_order(site):
    text = """
servers: {'n[1-4]': , x: {labels: {site: fra}}}
pools:
  c: {members: '@b & !n2'}
  b: {members: ['@a', site=fra]}
  a: {members: 'n[1-3]'}
"""
    pools = site(text).inventory.pools
    assert list(pools) == ["c", "b", "a"]
    assert pools["c"].members == ("n1", "n3", "x")


def test_several_files_are_one_inventory(site):
    found = site("servers: {a: }", inventory__b="servers: {b: }\npools: {p: {members: [a, b]}}")
    assert found.inventory.pools["p"].members == ("b", "a")


def test_hidden_and_other_files_are_ignored(site, tmp_path):
    (tmp_path / "inventory").mkdir()
    (tmp_path / "inventory" / ".#lock.yaml").write_text("[")
    (tmp_path / "inventory" / "notes.txt").write_text("[")
    (tmp_path / "inventory" / "b.yml").write_text("servers: {b: }")
    assert list(site("servers: {a: }").inventory.servers) == ["b", "a"]


ONE_FAULT = {
    "servers: {-x: }": "1:11: '-x' is not a valid server name",
    "servers: {'../x': }": "'../x' is not a valid server name",
    "servers: {'a b': }": "'a b' is not a valid server name",
    "servers: {'web*': }": "'web*' is not a valid server name",
    "servers: {'a\\x1b': }": "is not a valid server name",
    'servers: {"a\\e": }': r"'a\x1b' is not a valid server name",
    "servers: {'web[3-1]': }": "counts down",
    "servers: {'web[1-100001]': }": "100,001 names, the limit is 100,000",
    "servers: {'web[1-2]': , web2: }": "1:25: 'web2' is declared twice (first at inventory/site.yaml:1:11)",
    "servers: {'web[1-2]': {address: x}}": "'x' is 1 address for 2 servers",
    "servers: {web: {address: 'x[1-2]'}}": "'x[1-2]' is 2 addresses for 1 server",
    "servers: {web: {address: 'x[1'}}": "bracket",
    "servers: {web: {address: -oProxyCommand=x}}": "'-oProxyCommand=x' is not an address",
    "servers: {web: {address: 'a b'}}": "'a b' is not an address",
    "servers: {web: {address: '::g'}}": "'::g' is not an address",
    "servers: {web: {address: '1::2::3'}}": "'1::2::3' is not an address",
    "servers: {web: {address: -1}}": "'-1' is not an address",
    "servers: {web: {ssh: {user: -1}}}": "'user' is '-1'",
    "servers: {web: {become: {method: sudo, user: -1}}}": "'user' is '-1'",
    # -1 means `unchanged` to the kernel: MultiAll would stay the same user.
    "servers: {web: {become: {method: sudo, user: 4294967295}}}": "'user' is '4294967295'",
    "servers: {web: {ssh: {user: '4294967295'}}}": "'user' is '4294967295'",
    "servers: {w: {}}\npools: {p: {members: [w], files: [{path: /x, source: ./a, owner: 4294967295}]}}": "'owner' is",
    "servers: {w: {}}\npools: {p: {members: [w], files: [{path: /x, source: ./a, owner: '0:4294967295'}]}}": (
        "'owner' is"
    ),
    "servers: {web: {labels: {x: -1}}}": "'x' is '-1'",
    "servers: {web: {labels: {state: up}}}": "'state' is not allowed as a label",
    "servers: {a: }\npools: {failed: {members: a}}": "2:9: 'failed' is not a valid pool name",
    "servers: {a: }\npools: {-x: {members: a}}": "'-x' is not a valid pool name",
    "servers: {a: }\npools: {p: {members: b}}": "2:22: 'b' matches no server",
    "servers: {web1: }\npools: {p: {members: [wbe1]}}": "did you mean web1?",
    "servers: {web1: }\npools: {p: {members: 'web[1-2]'}}": "'web2' (of 'web[1-2]') matches no server",
    "servers: {web1: }\npools: {p: {members: state=up}}": "members cannot depend on 'state=up'",
    "servers: {web1: }\npools: {p: {members: '@failed'}}": "members cannot depend on '@failed'",
    "servers: {web1: , web2: }\npools: {p: {members: [web1, '!web1']}}": "2:22: 'web1, !web1' has '!' in a list",
    "servers: {web1: }\npools: {p: {members: '('}}": "lacks a name at its end",
    "servers: {a: }\npools: {web: {members: a}, p: {members: '@wbe'}}": "did you mean @web?",
    "servers: {a: }\npools: {p: {members: '@p'}}": "2:22: the pools form a cycle: @p → @p",
    "servers: {a: }\npools: {p: {members: '@q'}, q: {members: ['@r', a]}, r: {members: '@p'}}": "@p → @q → @r → @p",
    "servers: {a: }\npools: {p: {members: b}, q: {members: '@p'}}": "'b' matches no server",
}
TREE_FAULTS = {
    "{path: /, source: ./x}": "'path' is '/', a whole file system or home",
    "{path: //, source: ./x}": "'path' is '//', a whole file system",
    "{path: ~//, source: ./x}": "'path' is '~//', a whole file system or home",
    "{path: /a/../b, source: ./x}": "'path' is '/a/../b'; write it without '//', '.' and '..'",
    "{path: /a//b, source: ./x}": "'path' is '/a//b'",
    "{path: /a/./b, source: ./x}": "'path' is '/a/./b'",
    "{path: /a, source: x}": "'source' is 'x', which is not a server; write a folder as ./x, or the name of a server",
    "{path: /a, source: 'member:x'}": "'source' is 'member:x', which is not a server",
    "{path: /a, source: -x}": "'source' is '-x'",
    "{path: /a, source: ./x, owner: -1}": "'owner' is '-1'",
    "{path: /a, source: ./x, owner: 'a:'}": "'owner' is 'a:'",
    "{path: /a, source: ./x, mode: {files: 9}}": "'files' is '9'; write an octal mode such as '0644'",
    "{path: /a, source: ./x, after: [{}]}": "names no action",
    "{path: /a, source: ./x, after: [{reload: x, restart: y}]}": "names reload and restart",
    "{path: /a, source: ./x, after: [{reload: -x}]}": "'reload' is '-x'",
}


@pytest.mark.parametrize(("text", "fault"), ONE_FAULT.items())
def test_an_error_is_reported_once_with_its_position(site, text, fault):
    found = only(site, text)
    assert fault in found
    assert found.startswith("inventory/site.yaml:")
    assert found.isprintable()


@pytest.mark.parametrize(("tree", "fault"), TREE_FAULTS.items())
def test_an_error_of_a_tree_is_reported(site, tree, fault):
    assert fault in only(site, f"servers: {{a: }}\npools: {{p: {{members: a, files: [{tree}]}}}}")


def test_a_value_with_two_forms_is_reported_once(site):
    quorum = only(site, "servers: {a: }\npools: {p: {members: a, quorum: 0}}")
    assert quorum.endswith("is '0'; write a number of members, or a share such as 25%")
    batch = only(site, "servers: {a: }\npools: {p: {members: a, rollout: {batch: [0]}}}")
    assert batch.endswith("is '0'; write a number of members, or a share such as 25%")
    time = only(site, "servers: {a: }", multiall="connect_timeout: 0")
    assert time.endswith("is '0'; write seconds, or a time such as 10s, 500ms or 1h30m")


@pytest.mark.parametrize(("members", "words"), [("a", "1 member"), ("[a, b]", "2 members")])
def test_a_quorum_beyond_the_pool(site, members, words):
    fault = only(site, f"servers: {{a: , b: }}\npools: {{p: {{members: {members}, quorum: 3}}}}")
    assert f"the quorum of p is 3, but it has {words}; make it smaller" in fault


@pytest.mark.parametrize("batch", ["0", "'x'", "101%", "-1"])
def test_a_single_batch_is_validated(site, batch):
    text = f"servers: {{a: }}\npools: {{p: {{members: a, rollout: {{batch: {batch}}}}}}}"
    assert "is not a number or share of members" in only(site, text)


def test_one_path_twice_in_a_pool_is_reported(site):
    trees = "[{path: /a, source: ./x}, {path: /a/, source: ./y}]"
    fault = only(site, f"servers: {{a: }}\npools: {{p: {{members: a, files: {trees}}}}}")
    assert "the path '/a' is declared twice (first at inventory/site.yaml:2:" in fault


def test_a_pool_in_two_files_is_reported(site):
    fault = only(site, "servers: {a: }\npools: {p: {members: a}}", inventory__b="pools: {p: {members: a}}")
    assert "is declared twice (first at inventory/" in fault


def test_all_errors_of_all_files_are_reported_in_order(site):
    found = told(
        site,
        "servers: {a: {ssh: {port: x}, labels: {k: -1}}, -b: }\n"
        "pools: {p: {members: ['@q', zz, '(']}, q: {members: '@p'}}",
        multiall="parallel: many",
        rules__guards="guards: {deletion: {}}",
    )
    assert [fault.split(": ")[0] for fault in found] == [
        "inventory/site.yaml:1:27",
        "inventory/site.yaml:1:43",
        "inventory/site.yaml:1:49",
        "inventory/site.yaml:2:22",
        "inventory/site.yaml:2:29",
        "inventory/site.yaml:2:33",
        "multiall.yaml:1:11",
        "rules/guards.yaml:1:10",
    ]


def test_many_unknown_members_are_reported_without_delay(site):
    names = ", ".join(f"x{number}" for number in range(500))
    found = told(site, f"servers: {{'web[1-20000]': }}\npools: {{p: {{members: [{names}]}}}}")
    assert len(found) == 500


def test_settings(site, tmp_path):
    text = "store: ./state\nparallel: 8\nconnect_timeout: 1.5\ntimeout: 2m"
    assert site(multiall=text).settings == Settings(f"{tmp_path}/state", 8, 1.5, 120.0)
    assert site(multiall="timeout: 500ms").settings == Settings(timeout=0.5)
    assert site(multiall="# nothing").settings == Settings()


def test_guards_are_built_in_ones_by_default(site):
    shipped_ones = {
        "deletions": GuardLimit(0.3, 10),
        "changes": GuardLimit(0.3, 10),
        "empties": GuardLimit(1.0, 1),
    }
    assert site().guards == shipped_ones
    assert site(rules__guards="guards: ").guards == shipped_ones
    own = site(rules__guards="guards: {deletions: {share: 5%}, changes: {at_least: 2}, empties: }").guards
    assert own == {**shipped_ones, "deletions": GuardLimit(0.05, 10), "changes": GuardLimit(0.3, 2)}


def test_unreadable_files_are_errors(site, tmp_path):
    site("servers: {a: }")
    folder = tmp_path / "inventory"
    (folder / "b.yaml").write_bytes(b"a: 1\nb: \xff\n")
    (folder / "c.yaml").write_text(" \n")
    (folder / "d.yaml").mkdir()
    (folder / "e.yaml").symlink_to("nowhere")
    os.mkfifo(folder / "f.yaml")
    (folder / "g.yaml").touch()
    os.truncate(folder / "g.yaml", read.LIMIT + 1)
    (folder / "h.yaml").write_bytes(b"\xef\xbb\xbfservers: {h: }")
    with pytest.raises(InputFaults) as caught:
        read_site(tmp_path)
    assert [str(fault) for fault in caught.value.faults] == [
        "inventory/b.yaml:2:4: is not UTF-8; save it as UTF-8",
        "inventory/c.yaml:1:1: is empty; write something into it, or remove it",
        "inventory/d.yaml:1:1: is not a regular file; put a file there",
        "inventory/e.yaml:1:1: cannot be read: No such file or directory; fix its path or its permissions",
        "inventory/f.yaml:1:1: is not a regular file; put a file there",
        "inventory/g.yaml:1:1: has more than 32 MiB; split it into several files",
    ]


def test_an_inventory_that_is_not_a_folder_is_an_error(tmp_path):
    (tmp_path / "inventory").write_text("x")
    with pytest.raises(InputFaults) as caught:
        read_site(tmp_path)
    assert "inventory:1:1: cannot be read: Not a directory" in str(caught.value.faults[0])


def test_a_site_may_have_settings_only(tmp_path):
    (tmp_path / "multiall.yaml").write_text("parallel: 2")
    assert is_site(tmp_path)
    assert read_site(tmp_path).inventory.servers == {}


class TestFinding:
    @pytest.fixture
    def places(self, tmp_path):
        for name in ("here/deep/deeper", "xdg/multiall", "home/.config/multiall", "system", "other/inventory"):
            (tmp_path / name).mkdir(parents=True)
        return tmp_path

    def found(self, places, argument=None, folder="here/deep/deeper", **environment):
        return find_site(argument, environment, places / folder, places / "system")

    def test_the_argument_comes_first(self, places):
        (places / "here/inventory").mkdir()
        assert self.found(places, "../../../other", MULTIALL_SITE="x").resolve() == places / "other"

    def test_then_the_environment(self, places):
        (places / "here/inventory").mkdir()
        assert self.found(places, MULTIALL_SITE=str(places / "other")) == places / "other"

    def test_then_the_folder_and_those_above(self, places):
        (places / "here/multiall.yaml").write_text("")
        assert self.found(places) == places / "here"

    def test_then_the_users_and_the_systems(self, places):
        (places / "system/inventory").mkdir()
        assert self.found(places, HOME=str(places / "home")) == places / "system"
        (places / "home/.config/multiall/inventory").mkdir()
        assert self.found(places, HOME=str(places / "home")) == places / "home/.config/multiall"
        (places / "xdg/multiall/inventory").mkdir()
        assert self.found(places, XDG_CONFIG_HOME=str(places / "xdg")) == places / "xdg/multiall"

    def test_none_names_init(self, places):
        with pytest.raises(UsageError, match="`multiall init DIR` makes one"):
            self.found(places, HOME=str(places / "home"))

    def test_an_argument_that_is_no_site_names_init(self, places):
        with pytest.raises(UsageError, match="`multiall init here` makes one"):
            find_site("here", {}, places)


def test_the_example_inventory_is_valid(tmp_path):
    (tmp_path / "inventory").mkdir()
    (tmp_path / "inventory" / "example.yaml").write_text(built_in("inventory/example.yaml").read_text("utf-8"))
    inventory = read_site(tmp_path).inventory
    assert inventory.pools["web"].members == ("web1", "web2", "web3")
    assert len(inventory.servers) == 5


words = st.sampled_from(
    [
        "servers",
        "pools",
        "web1",
        "'web[1-2]'",
        "address",
        "ssh",
        "port",
        "22",
        "members",
        "files",
        "path",
        "/x",
        "./x",
        "source",
        "become",
        "sudo",
        "labels",
        "true",
        "-1",
        "''",
        "null",
        "&a",
        "*a",
        "!t",
        "<<",
        "@web",
        "[]",
        "{}",
        "1.5",
        "'@p'",
        "delete",
        "mode",
        "0644",
        "after",
        "run",
        "rollout",
        "batch",
        "25%",
        "\\x1b",
        "\t",
        "|",
        ">",
        "-",
        "?",
        "#",
    ]
)
signs = st.sampled_from([": ", "\n", "\n  ", "\n    ", ", ", "[", "]", "{", "}", "- ", " ", "\n- "])
texts = st.one_of(st.text(max_size=200), st.lists(st.one_of(words, signs), max_size=60).map("".join))


@examples(100)
@given(text=texts)
def test_any_text_is_a_site_or_errors(tmp_path, text):
    (tmp_path / "inventory").mkdir(exist_ok=True)
    for name in ("inventory/site.yaml", "multiall.yaml"):
        Path(tmp_path / name).write_bytes(text.encode("utf-8", "replace"))
    try:
        found: object = read_site(tmp_path)
    except InputFaults as error:
        found = error.faults
    assert isinstance(found, Site) or (found and all(str(fault).isprintable() for fault in found))


def test_an_invalid_byte_after_a_byte_order_mark_has_its_position(site, tmp_path):
    (tmp_path / "inventory").mkdir(exist_ok=True)
    (tmp_path / "inventory" / "site.yaml").write_bytes(b"\xef\xbb\xbfa:\n\xff")
    with pytest.raises(InputFaults) as caught:
        read_site(tmp_path)
    assert str(caught.value.faults[0]) == "inventory/site.yaml:2:1: is not UTF-8; save it as UTF-8"


def test_an_unknown_home_is_not_a_site(tmp_path):
    with pytest.raises(UsageError, match="has neither"):
        find_site("~no.such.user/site", {}, tmp_path)


def test_a_site_has_a_largest_size(site):
    """A range of sixteen million servers in sixty letters is reported before they are made."""
    with pytest.raises(InputFaults) as caught:
        site("servers:\n" + "".join(f"  {sign}[0-59999]:\n" for sign in "abc"))
    assert [str(each) for each in caught.value.faults] == [
        f"inventory/site.yaml:{line}:3: makes more than 100,000 servers in all; "
        "write a smaller range, or split the site"
        for line in (3, 4)
    ]


WINDOW = "{at: '0 2 * * sun', lasts: 1h30m, zone: Europe/Zurich, because: patches}"


def test_windows_and_dependencies(site):
    read_ = site(
        f"servers: {{hv1: {{windows: [{WINDOW}]}}, 'web[1-2]': {{depends_on: [hv1]}}}}\n"
        f"pools: {{web: {{members: 'web[1-2]', windows: [{WINDOW.replace('}', ', what: drain}')}]}}}}"
    ).inventory
    (own,), (pools,) = read_.servers["hv1"].windows, read_.pools["web"].windows
    assert own == Window("0 2 * * sun", 5400.0, "Europe/Zurich", "patches")
    assert (pools.what, str(own.origin)) == ("drain", "inventory/site.yaml:1:27")
    assert read_.servers["web2"].depends_on == ("hv1",)


@pytest.mark.parametrize(
    ("inventory", "says"),
    [
        (
            "servers: {a: {depends_on: [hv1]}, hv11: }",
            "'a' depends on 'hv1', which is not a server; did you mean hv11?",
        ),
        ("servers: {a: {depends_on: [a]}}", "it depends on itself: a → a"),
        (f"servers: {{a: {{windows: [{WINDOW.replace('Zurich', 'Zuerich')}]}}}}", "'Europe/Zuerich' is no time zone"),
        (
            f"servers: {{a: {{windows: [{WINDOW.replace('0 2', '0 25')}]}}}}",
            "'0 25 * * sun' is no time as cron has them",
        ),
        (f"servers: {{a: {{windows: [{WINDOW.replace('1h30m', 'long')}]}}}}", "a duration such as 30m, 2h or 1d12h"),
        ("servers: {a: {windows: [{at: '0 2 * * sun'}]}}", "lasts"),
    ],
)
def test_invalid_windows_and_dependencies(site, inventory, says):
    assert any(says in fault for fault in told(site, inventory)), told(site, inventory)
