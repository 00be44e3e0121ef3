"""Rules that are learnt of servers: what most of them share, and nothing that a server makes up."""

from pathlib import Path

from hypothesis import example, given
from hypothesis import strategies as st

from multiall_cli.adapters.site.read import read_site
from multiall_cli.cli.render.baseline import pack_text
from multiall_cli.engine.learn import survey_of
from multiall_cli.planning.rule_generation import GeneratedRules, ServiceInventory, learned, unwritable
from multiall_cli.planning.rules import is_id, rules_of
from tests.scale import examples

ONE = ServiceInventory(
    "web1",
    ("nginx",),
    ((80, ("0.0.0.0", "::")), (5432, ("127.0.0.1",)), (40000, ("0.0.0.0",))),
    (("/", "ext4"), ("/var/lib/x y", "xfs")),
    (("ann", "/bin/bash"),),
)


def test_of_one_server_all_of_it() -> None:
    assert learned([ONE]) == {
        "service.nginx": {"check": "service", "name": "nginx", "enabled": True},
        "port.80": {"check": "port", "port": 80},
        "port.5432": {"check": "port", "port": 5432, "addresses": ["127.0.0.1"]},
        "mount.root": {"check": "mount", "path": "/", "type": "ext4"},
        "disk.root": {"check": "disk", "path": "/", "used": ["85%", "95%"]},
        "mount.var.lib.x.y": {"check": "mount", "path": "/var/lib/x y", "type": "xfs"},
        "disk.var.lib.x.y": {"check": "disk", "path": "/var/lib/x y", "used": ["85%", "95%"]},
        "user.ann": {"check": "user", "name": "ann", "shell": "/bin/bash"},
    }


def test_of_several_what_most_of_them_have() -> None:
    others = [ServiceInventory("web2", ("nginx", "cron")), ServiceInventory("web3", ("cron",))]
    assert list(learned([ONE, *others])) == ["service.cron", "service.nginx"]
    assert learned([ONE, ServiceInventory("web2")]) == {}, "half of them are not most"
    assert learned([]) == {}


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=9),
    lambda each: st.lists(each, max_size=3),
    max_leaves=9,
)


@given(st.dictionaries(st.sampled_from(["services", "ports", "mounts", "users"]), ANYTHING))
def test_whatever_a_server_tells_is_rules_or_nothing(told: dict[str, object]) -> None:
    assert all(is_id(name) for name in learned([survey_of("web1", told)]))


ODD = (
    "getty@tty1", "a:b", "on", "null", "1.2", "0x1F", "1_000", "~", "[a]", "{a: b}", "- a", "a #b", "#", "'", '"', "*a",
    "&a", "!a", "|", ">", "%a", "@a", "`a`", "a: ", " a ", "", "..", "a..b", "${env:HOME}", "a\nb", "a\tb", "\\x2d",
    "systemd-fsck@dev-disk-by\\x2duuid-1.service", "é", "\u202e", "\udcff", "\x1b", "\x00", "\x85", "\ufeffa", "=",
    "<<", "2026-01-01", "x" * 255, ".a", "-a", "--", "\u2028", "y", "012", "1e3", "\U0001f600", "\uffff",
)  # fmt: skip
_odd = st.sampled_from(ODD) | st.text(st.characters(exclude_categories=()), max_size=12)
_surveys = st.builds(
    ServiceInventory,
    st.just("web1"),
    st.lists(_odd, max_size=5).map(tuple),
    st.lists(st.tuples(st.integers(1, 65535), st.lists(_odd | st.just("127.0.0.1"), max_size=2).map(tuple))).map(tuple),
    st.lists(st.tuples(_odd, _odd), max_size=3).map(tuple),
    st.lists(st.tuples(_odd, _odd), max_size=3).map(tuple),
)


@examples(60)
@given(_surveys)
@example(
    ServiceInventory(
        "web1", ODD, tuple((at, (each,)) for at, each in enumerate(ODD, 1)), tuple(zip(ODD, ODD, strict=True))
    )
)
@example(ServiceInventory("web1", users=tuple(zip(ODD, ODD, strict=True))))
def test_whatever_is_learnt_loads_again_and_means_the_same(tmp_path: Path, survey: ServiceInventory) -> None:
    """Written as `baseline learn --to` writes it, read as every command reads it."""
    found = learned([survey])
    (tmp_path / "inventory").mkdir(exist_ok=True)
    (tmp_path / "rules").mkdir(exist_ok=True)
    site = "servers: {web1: }\npools: {web: {members: web1, baseline: [learnt]}}\n"
    (tmp_path / "inventory" / "site.yaml").write_text(site if found else "servers: {web1: }\n")
    text = pack_text(GeneratedRules(found, ("web1",), {}))
    (tmp_path / "rules" / "learnt.yaml").write_text(text, encoding="utf-8")
    faults: list[str] = []
    read = read_site(tmp_path)
    rules = rules_of(read.inventory, read.packs, "web1", lambda _, what, todo: faults.append(what)) if found else ()
    assert faults == []
    subjects = {rule.id: (rule.check, {**rule.subject, **{e.value: e.wanted for e in rule.expects}}) for rule in rules}
    assert set(subjects) == set(found)
    for name, words in found.items():
        has = subjects[name][1]
        for key in set(words) - {"check", "used"}:
            wanted = tuple(words[key]) if isinstance(words[key], list) else words[key]  # type: ignore[arg-type]
            assert has[key] == wanted, name


def test_what_no_rule_can_name_is_reported() -> None:
    assert unwritable(ServiceInventory("web1", ("a", "b\udcff"), (), (("/x\x1b", "ext4"),), (("ann", ""),))) == [
        "/x\x1b",
        "b\udcff",
    ]
