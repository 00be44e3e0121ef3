"""Rules that are learnt of servers: what most of them share, and nothing that a server makes up."""

from hypothesis import given
from hypothesis import strategies as st

from multiall_cli.engine.learn import survey_of
from multiall_cli.planning.learning import Survey, learned
from multiall_cli.planning.rules import is_id

ONE = Survey(
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
    others = [Survey("web2", ("nginx", "cron")), Survey("web3", ("cron",))]
    assert list(learned([ONE, *others])) == ["service.cron", "service.nginx"]
    assert learned([ONE, Survey("web2")]) == {}, "half of them are not most"
    assert learned([]) == {}


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=9),
    lambda each: st.lists(each, max_size=3),
    max_leaves=9,
)


@given(st.dictionaries(st.sampled_from(["services", "ports", "mounts", "users"]), ANYTHING))
def test_whatever_a_server_tells_is_rules_or_nothing(told: dict[str, object]) -> None:
    assert all(is_id(name) for name in learned([survey_of("web1", told)]))
