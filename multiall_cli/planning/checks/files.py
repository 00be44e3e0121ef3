"""Checks of files, folders and logs."""

from collections.abc import Mapping

from multiall_cli.domain.baseline import Code
from multiall_cli.planning.checks.kinds import MATCHES, PRESENT, THERE, Check, Value, access, high, state, text
from multiall_cli.planning.measures import Measure
from multiall_cli.planning.value_comparison import same_word

CHECKS: Mapping[str, Check] = {
    "file": Check(
        "A file, folder or link.",
        {"path": Measure.TEXT},
        {"match": Measure.PATTERN, "follow": Measure.FLAG},
        {
            "present": PRESENT,
            "matches": MATCHES,
            "kind": state("file, directory, link, socket, ...", Measure.TEXT),
            "mode": access("its rights", Measure.MODE),
            "owner": access("whose it is"),
            "group": access("its group"),
            "size": high(Measure.BYTES, "its length"),
            "age": high(Measure.SECONDS, "since it was changed"),
            "target": text("where a link leads"),
            "sha256": Value(Measure.TEXT, means="the digest of its content", dear=True, alike=same_word),
        },
        THERE,
        asks={"match": "matches"},
    ),
    "files": Check(
        "The files that a pattern (`/var/spool/x/*`) finds.",
        {"path": Measure.TEXT},
        values={
            "count": high(Measure.COUNT, "how many"),
            "age": high(Measure.SECONDS, "since the newest was changed"),
        },
    ),
    "log": Check(
        "The lines of a log that a pattern is found in; a log that was rotated is read to its end.",
        {"path": Measure.TEXT, "pattern": Measure.PATTERN},
        values={
            "present": PRESENT,
            "gap": Value(Measure.FLAG, code=Code.COLLECT_ERROR, means="whether lines may be missing", over=True),
            "count": high(Measure.COUNT, "since the look before", over=True),
        },
        implied={"present": True, "gap": False, "count": (None, 1.0)},
        marked=True,
    ),
    "journal": Check(
        "The entries of systemd's journal, all or those that a pattern is found in.",
        {},
        {"pattern": Measure.PATTERN, "priority": Measure.TEXT, "unit": Measure.TEXT},
        {"count": high(Measure.COUNT, "since the look before", over=True)},
        {"count": (None, 1.0)},
        marked=True,
    ),
}
