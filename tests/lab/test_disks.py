"""Members with a full, read-only or failing disk, or few open files: no mixed file, all errors reported."""

from collections.abc import Callable

import pytest

from multiall_cli.domain.report import MemberState
from multiall_cli.lab.real.faults import FaultKind
from tests.fixtures.before_after import assert_old_or_new, plant_new, plant_old
from tests.fixtures.bench import contents
from tests.lab.ground import Ground, all_are, catches_up, member, states

Figure = Callable[[str, object], None]
DEEP = "/".join("abcdefghijklmnopqrst")  # each folder on the way stays open while its contents change
SICK: list[tuple[str, FaultKind, dict[str, object], str]] = [
    ("ENOSPC", FaultKind.FILL_DISK, {}, "No space left on device"),
    ("EROFS", FaultKind.READ_ONLY, {}, "Read-only file system"),
    ("EIO of a write", FaultKind.SICK_DISK, {"of": ("write",)}, "Input/output error"),
    ("EIO of a sync", FaultKind.SICK_DISK, {"of": ("sync",)}, "Input/output error"),
    ("EIO of a read", FaultKind.SICK_DISK, {"of": ("read",)}, "Input/output error"),
    ("EMFILE", FaultKind.FEW_FILES, {"most": 16}, "Too many open files"),
]


@pytest.mark.parametrize(("name", "fault", "values", "words"), SICK, ids=[each[0] for each in SICK])
def test_a_disk_that_fails(
    ground: Ground, name: str, fault: FaultKind, values: dict[str, object], words: str, record_property: Figure
) -> None:
    """The member fails with its system's error; every path is old or new; afterwards it catches up."""
    ground.write()
    plant_old(ground.root / "trees" / "www")
    assert all_are(ground.sync(), MemberState.CHANGED, ground.lab.names)
    old = contents(ground.root / "trees" / "www")
    plant_new(ground.root / "trees" / "www")
    ground.tree({DEEP: "deep"})
    with ground.lab.broken("web2", fault, **values):
        report = ground.sync()
        assert states(report)["web2"] is MemberState.FAILED, member(report, "web2")
        assert words in member(report, "web2").reason
        assert all_are(report, MemberState.CHANGED, {"web1", "web3", "web4"})
        assert_old_or_new(contents(ground.on("web2", "/srv/www")), old, contents(ground.root / "trees" / "www"))
    catches_up(ground)
    record_property("figure", (f"{name} on a member", 1))
