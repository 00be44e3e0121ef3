"""The declarations of a server's pools, folded into one."""

from dataclasses import replace

from multiall_cli.domain.errors import Origin
from multiall_cli.domain.inventory import After, Become, BecomeMethod, FilesDeclaration, Inventory, Pool, Server, Ssh
from multiall_cli.domain.values import Secret
from multiall_cli.domain.zones import NameDeclaration
from multiall_cli.planning.merge import effective_files, explain

HERE = Origin("inventory/site.yaml", 3, 5)


def tree(path="/srv/www", **fields):
    return FilesDeclaration(path=path, source="/src", **fields)


def pool(name, *trees, priority=0, line=1):
    files = tuple(
        replace(tree, pools=(name,), origin=Origin("inventory/site.yaml", line + number, 9))
        for number, tree in enumerate(trees)
    )
    return Pool(name, ("web1",), priority, files, origin=Origin("inventory/site.yaml", line, 3))


def site(*pools, server=None):
    return Inventory({"web1": server or Server("web1", "web1")}, {pool.name: pool for pool in pools})


def test_equal_claims_become_one_that_names_its_pools():
    (found,), conflicts = effective_files(site(pool("a", tree()), pool("b", tree())), "web1")
    assert found.pools == ("a", "b")
    assert not conflicts


def test_unequal_claims_are_a_conflict_that_names_places_and_keys():
    pools = pool("a", tree(owner="x", group="y")), pool("b", tree(file_mode=0o644, trash=1), line=7)
    found, conflicts = effective_files(site(*pools), "web1")
    assert not found
    assert str(conflicts[0]) == (
        "web1 files:/srv/www: pools a (inventory/site.yaml:1:9) and b (inventory/site.yaml:7:9) differ in "
        "owner, mode.files, trash; make them equal, or give one of the pools a higher `priority:`"
    )


def test_a_third_equal_claim_does_not_settle_a_conflict():
    pools = pool("a", tree()), pool("b", tree(times=True)), pool("c", tree())
    found, conflicts = effective_files(site(*pools), "web1")
    assert (len(found), len(conflicts)) == (0, 1)


def test_the_highest_priority_holds():
    pools = pool("a", tree(times=True)), pool("b", tree(xattrs=True), priority=2), pool("c", tree(trash=1), priority=1)
    (found,), conflicts = effective_files(site(*pools), "web1")
    assert found.pools == ("b",)
    assert not conflicts


def test_equal_highest_priorities_can_conflict():
    pools = pool("a", tree(), priority=-1), pool("b", tree(), priority=3), pool("c", tree(trash=1), priority=3)
    _, conflicts = effective_files(site(*pools), "web1")
    assert "pools b" in conflicts[0].what


def test_pools_of_other_servers_do_not_count():
    inventory = site(pool("a", tree()))
    other = replace(inventory.pools["a"], name="b", members=("web2",), files=(tree(trash=1),))
    (found,), conflicts = effective_files(Inventory(inventory.servers, {**inventory.pools, "b": other}), "web1")
    assert found.pools == ("a",)
    assert not conflicts


def test_nested_trees_are_carved_out_of_the_outer_one():
    trees = tree("/srv", exclude=("*.log",)), tree("/srv/www"), tree("/srv/www/app/x"), tree("/srv-2")
    found, _ = effective_files(site(pool("a", *trees)), "web1")
    assert {declaration.path: declaration.exclude for declaration in found} == {
        "/srv": ("*.log", "/www"),
        "/srv/www": ("/app/x",),
        "/srv/www/app/x": (),
        "/srv-2": (),
    }


def test_carving_is_exact_where_a_path_looks_like_a_pattern():
    found, _ = effective_files(site(pool("a", tree("/srv"), tree("/srv/a*[b]?\\c"))), "web1")
    assert found[0].exclude == ("/a\\*\\[b]\\?\\\\c",)


def test_a_contested_tree_is_carved_out_too():
    pools = pool("a", tree("/srv"), tree("/srv/www")), pool("b", tree("/srv/www", trash=1))
    (found,), conflicts = effective_files(site(*pools), "web1")
    assert found.exclude == ("/www",)
    assert conflicts


def told(inventory):
    return {explained.key: explained for explained in explain(inventory, "web1")}


def test_every_value_of_a_server_is_explained():
    server = Server(
        "web1",
        "192.0.2.1",
        ssh=Ssh(user="deploy", port=22),
        become=Become(BecomeMethod.SUDO, password=Secret("env", "X")),
        labels={"rack": "r1"},
        origin=HERE,
        where={"address": HERE, "ssh.user": HERE, "become": HERE, "labels.rack": HERE},
    )
    values = told(site(pool("a"), server=server))
    assert values["address"].value == "192.0.2.1"
    assert values["address"].origin == HERE
    assert values["ssh.user"].value == "deploy"
    assert values["ssh.jump"].value == "as ~/.ssh/config says"
    assert (values["become.method"].value, values["become.method"].origin) == ("sudo", HERE)
    assert values["become.password"].value == "${env:X}"
    assert values["labels.rack"].value == "r1"
    assert (values["pool"].value, values["pool"].pool) == ("a", "a")


def test_a_server_without_become_has_no_password_to_explain():
    assert "become.password" not in told(site())


def test_what_clients_use_and_every_name_of_a_server_is_explained():
    server = Server("web1", "192.0.2.1", public=("198.51.100.1",), where={"public": HERE})
    names = (
        NameDeclaration("example.net.", "www.example.net.", ("web1",), origin=HERE),
        NameDeclaration("example.net.", "api.example.net.", ("web1",), inside=True, origin=HERE),
        NameDeclaration("example.net.", "db.example.net.", (), origin=HERE),
    )
    values = told(site(replace(pool("a"), names=names), replace(pool("b"), names=names[:1]), server=server))
    assert (values["public"].value, values["public"].origin) == ("198.51.100.1", HERE)
    www, api = values["names:www.example.net A"], values["names:api.example.net A"]
    assert (www.value, www.pool, www.origin) == ("198.51.100.1", "a, b", HERE)
    assert (api.value, api.pool) == ("192.0.2.1", "a")
    assert not any("db.example" in key for key in values)


def test_every_field_of_a_tree_is_explained():
    mode = Origin("inventory/site.yaml", 9, 9)
    declared = tree(
        file_mode=0o640, after=(After("reload", ("nginx",)),), exclude=("a", "b"), where={"mode.files": mode}
    )
    values = told(site(pool("a", declared)))
    assert values["files:/srv/www mode.files"].value == "0640"
    assert values["files:/srv/www mode.files"].origin == mode
    assert values["files:/srv/www mode.dirs"].value == "as in the source"
    assert values["files:/srv/www owner"].value == "as it is"
    assert values["files:/srv/www after"].value == "reload nginx"
    assert values["files:/srv/www exclude"].value == "a, b"
    assert values["files:/srv/www times"].value == "false"
    assert values["files:/srv/www trash"].value == "7 days"
    assert values["files:/srv/www source"].pool == "a"
