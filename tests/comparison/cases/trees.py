"""Files are brought to all servers: what is shown before, who else does it, who was not there, how much travels."""

import os
import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from multiall_cli.lab.real.faults import FaultKind
from tests.comparison import tools
from tests.comparison.case import Case, Tool
from tests.comparison.seen import Seen, did, exits, expect, says, sends, silent, spares
from tests.comparison.stage import Stage

PAGE = "/srv/www/page"
BIG = 4_000_000


def dry(stage: Stage, tool: Tool) -> Seen:
    """Nothing is there yet."""
    return stage.effect(stage.run(*tools.copy(stage, tool, dry=True)), PAGE)


def stale(stage: Stage, tool: Tool) -> Seen:
    """What was shown is release 1; before it is done, the source becomes release 2."""
    shown = stage.run(*tools.copy(stage, tool, dry=True))
    argv = tools.copy(stage, tool)
    if tool is Tool.MULTIALL:
        told = re.search(r"\b[0-9a-f]{8,}\b", shown.said)
        assert told, shown
        argv = (*argv, "--plan", told[0])
    stage.ground.tree({"page": "release 2\n"})
    return stage.effect(stage.run(*argv), PAGE, b"release 2\n")


@contextmanager
def held(stage: Stage, tool: Tool) -> Iterator[None]:
    """A run that stands still on web1, in the middle, for as long as the block."""
    begun, let = (stage.ground.on("web1", f"/{name}") for name in ("begun", "let"))
    os.mkfifo(begun)
    os.mkfifo(let)
    wait = "if test -p /begun; then echo x > /begun; read x < /let; rm -f /begun; fi"
    if tool is Tool.MULTIALL:
        stage.ground.write(files={"after": [{"run": ["sh", "-c", wait]}]})
    with stage.started(*tools.copy(stage, tool, then=wait)) as first:
        begun.read_text()
        yield
        let.write_text("x\n")
        first.ended()


def second(stage: Stage, tool: Tool) -> Seen:
    """Another admin starts the same while the first run is half done."""
    with held(stage, tool):
        argv = tools.copy(stage, tool)
        return stage.effect(stage.run(*argv), PAGE)


def catch_up(stage: Stage, tool: Tool) -> Seen:
    """web2 was away; it is back, and the same is run again. What is said is what was said in between, and then."""
    with stage.ground.lab.broken("web2", FaultKind.KILL_SSHD):
        first = stage.run(*tools.copy(stage, tool))
    between = stage.run(*tools.multiall(stage, "journal", "pending")).out if tool is Tool.MULTIALL else ""
    again = stage.run(*tools.copy(stage, tool))
    told = f"[first: exit {first.exit}]\n{first.said}\n[between]\n{between}\n[again]\n"
    return stage.effect(replace(again, out=told + again.out), PAGE)


def blocks(stage: Stage, tool: Tool) -> Seen:
    """A byte of a large file has changed; what goes out to web1 is counted by the kernel."""
    content = bytearray(secrets.token_bytes(BIG))
    stage.ground.tree({"page": bytes(content)})
    first = stage.run(*tools.copy(stage, tool))
    assert first.exit == 0, first
    content[BIG // 2] ^= 1
    stage.ground.tree({"page": bytes(content)})
    later = (stage.tree / "page").stat().st_mtime + 60  # rsync passes over a file of the same size and second
    os.utime(stage.tree / "page", (later, later))
    before = _sent(stage)
    seen = stage.run(*tools.copy(stage, tool))
    return stage.effect(replace(seen, sent=_sent(stage) - before), PAGE, bytes(content))


def _sent(stage: Stage) -> int:
    """Bytes that went out to web1 so far."""
    lines = stage.ground.lab.beside(["cat", "/proc/net/dev"]).stdout.decode().splitlines()
    return next(int(line.split()[9]) for line in lines if line.strip().startswith("v1:"))


ALL = did("web1", "web2", "web3")

CASES = (
    Case("dry", "a dry run finds differences", dry, {
        Tool.MULTIALL: expect("`pool plan` lists them, exit 10", exits(10), says("page"), did()),
        Tool.ANSIBLE: expect(
            "`--check --diff` shows them as a diff, exit 0", exits(0), says(r"\+release 1"), says("changed=1"), did()
        ),
        Tool.PYINFRA: expect(
            "`--dry` lists the operations that would change something, exit 0",
            exits(0), says("Detected changes"), did(),
        ),
        Tool.RSYNC: expect("`-ni` lists the files, exit 0", exits(0), says(r"\+\+\+ page"), did()),
    }, lacks="no dry run"),
    Case("stale", "the source changes between the dry run and the run", stale, {
        Tool.MULTIALL: expect("`pool sync --plan ID` refuses, exit 4", exits(4), says("plan"), did()),
        Tool.ANSIBLE: expect("does what nobody has seen, exit 0", exits(0), ALL),
        Tool.PYINFRA: expect("does what nobody has seen, exit 0", exits(0), ALL),
        Tool.RSYNC: expect("does what nobody has seen, exit 0", exits(0), ALL),
    }, lacks="no dry run"),
    Case("second", "a second admin does the same, while the first run is half done", second, {
        Tool.MULTIALL: expect(
            "kept out: who holds it and since when, exit 5", exits(5), says("(?s)pid.*since|since.*pid")
        ),
        Tool.ANSIBLE: expect("both run", exits(0), silent("(?i)lock")),
        Tool.PYINFRA: expect("both run", exits(0), silent("(?i)lock")),
        Tool.RSYNC: expect("both run", exits(0), silent("(?i)lock")),
    }),
    Case("catch-up", "a server that was away is back, and the same is run again", catch_up, {
        Tool.MULTIALL: expect(
            "deferred, exit 3; `journal pending` names it until then; the next run brings it up to date",
            exits(0), says(r"first: exit 3"), says(r"(?s)between\].*web2.*again\]"), ALL,
        ),
        Tool.ANSIBLE: expect("failed, exit 4; the next run brings it up to date", exits(0), says("first: exit 4"), ALL),
        Tool.PYINFRA: expect("failed, exit 1; the next run brings it up to date", exits(0), says("first: exit 1"), ALL),
        Tool.CLUSTERSHELL: expect(
            "exit 0 (255 with `-S`); the next `--copy` brings it all", exits(0), says("first: exit 0"), ALL
        ),
        Tool.RSYNC: expect("exit 0; the next run brings it up to date", exits(0), says("first: exit 0"), ALL),
    }),
    Case("blocks", f"one byte of {BIG // 1_000_000} MB has changed", blocks, {
        Tool.MULTIALL: expect("less than 1 MB travels to each", exits(0), spares(1_000_000), ALL),
        Tool.ANSIBLE: expect("the file travels (`copy`)", exits(0), sends(BIG), ALL),
        Tool.PYINFRA: expect("the file travels (`files.sync`)", exits(0), sends(BIG), ALL),
        Tool.CLUSTERSHELL: expect("the file travels (`--copy`)", exits(0), sends(BIG), ALL),
        Tool.RSYNC: expect("less than 1 MB travels to each", exits(0), spares(1_000_000), ALL),
    }),
)  # fmt: skip
