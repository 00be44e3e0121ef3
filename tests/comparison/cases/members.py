"""What members do: one is away, one is another, one prints what it should not, or too much of it."""

from dataclasses import replace

from multiall_cli.lab.real.faults import FaultKind
from tests.comparison import tools
from tests.comparison.case import Case, Tool
from tests.comparison.seen import (
    Seen,
    did,
    escaped,
    exits,
    expect,
    fails,
    grows,
    prints,
    says,
    silent,
    stays,
    steers,
)
from tests.comparison.stage import RAN, Stage

TOUCH = f"touch {RAN}"
LARGE = 100  # MB
FLOOD = 10  # MB, for those that would need minutes for the large one: enough to see that all of it is kept
COLOURED = r"printf '\033[31mred\033[0m\033]0;title\007\n'"


def pours(megabytes: int) -> str:
    return f"yes {'x' * 9999} | head -c {megabytes}000000"


def away(stage: Stage, tool: Tool) -> Seen:
    """One of three has no power."""
    stage.ground.lab.do("web2", FaultKind.POWER_OFF)
    argv = tools.each(stage, stage.names) if tool is Tool.RSYNC else tools.command(stage, tool, TOUCH)
    return stage.effect(stage.run(*argv), "/srv/www/page" if tool is Tool.RSYNC else RAN)


def other_key(stage: Stage, tool: Tool) -> Seen:
    """web1 shows another host key than the one that is known."""
    address = stage.ground.lab.addresses["web1"]
    kind, blob = stage.ground.lab.key.with_suffix(".pub").read_text().split()[:2]
    for known in (stage.config.parent / "known_hosts", stage.ground.root / "known_hosts"):
        kept = [line for line in known.read_text().splitlines() if not line.startswith(f"{address} ")]
        known.write_text("\n".join([*kept, f"{address} {kind} {blob}", ""]))
    argv = tools.each(stage, ["web1"]) if tool is Tool.RSYNC else tools.command(stage, tool, TOUCH)
    return stage.effect(stage.run(*argv), "/srv/www/page" if tool is Tool.RSYNC else RAN)


def control(stage: Stage, tool: Tool) -> Seen:
    """A member's output would colour the terminal and set its title."""
    return stage.run(*tools.command(stage, tool, COLOURED))


def same(stage: Stage, tool: Tool) -> Seen:
    """Three members say the same."""
    return stage.run(*tools.command(stage, tool, "echo all alike"))


def flood(stage: Stage, tool: Tool) -> Seen:
    """Against a run that prints nothing."""
    stage.ground.write(only=["web1"])
    much = pours(FLOOD if tool in (Tool.ANSIBLE, Tool.PSSH) else LARGE)
    quiet, loud = (stage.run(*_of_one(stage, tool, line)) for line in ("true", much))
    return replace(loud, grown=loud.peak - quiet.peak)


def stream(stage: Stage, tool: Tool) -> Seen:
    """The same, shown as it comes."""

    def line(much: str) -> tuple[str, ...]:
        if tool is Tool.MULTIALL:
            return tools.multiall(stage, "exec", "--stream", "web1", "--", "sh", "-c", much)
        return tools.clush(stage, "-w", "web1", much)

    quiet, loud = (stage.run(*line(each)) for each in ("true", pours(LARGE)))
    return replace(loud, grown=loud.peak - quiet.peak)


def _of_one(stage: Stage, tool: Tool, line: str) -> tuple[str, ...]:
    """`line` on web1 alone."""
    match tool:
        case Tool.ANSIBLE:
            return tools.ansible(stage, "web1", "-m", "shell", "-a", line)
        case Tool.PYINFRA:
            return tools.pyinfra(stage, "--limit", "web1", "exec", "--", line)
        case Tool.CLUSTERSHELL:
            return tools.clush(stage, "-b", "-w", "web1", line)
        case Tool.PSSH:
            return tools.pssh(stage, line, [stage.ground.lab.addresses["web1"]])
        case _:
            return tools.command(stage, tool, line)


OTHERS = did("web1", "web3")
NOT_THAT_ONE = did("web2", "web3")
ALL = prints(FLOOD * 1_000_000, FLOOD * 1_200_000)
MORE = prints(LARGE * 1_000_000, LARGE * 1_200_000)

CASES = (
    Case("away", "one of three servers does not answer", away, {
        Tool.MULTIALL: expect("the others are done; it is named, exit 3", exits(3), says(r"web2 .*not run: "), OTHERS),
        Tool.ANSIBLE: expect(
            "the others are done; `UNREACHABLE`, exit 4", exits(4), says("web2 .*UNREACHABLE"), OTHERS
        ),
        Tool.PYINFRA: expect(
            "the others are done; it is named, exit 1", exits(1), says(r"web2\] Could not connect"), OTHERS
        ),
        Tool.CLUSTERSHELL: expect(
            "the others are done; it is named, exit 0 (255 with `-S`)",
            exits(0), says("web2: exited with exit code 255"), OTHERS,
        ),
        Tool.PSSH: expect(
            "the others are done; an exception for it", exits(1), says(r"\.12\] ConnectionError"), OTHERS
        ),
        Tool.RSYNC: expect(
            "the others are done; exit 0, as the last one was well", exits(0), says("connect to host 198"), OTHERS
        ),
    }),
    Case("host-key", "a server's host key has changed", other_key, {
        Tool.MULTIALL: expect(
            "refused, the others are done, exit 3", exits(3), says("web1 .*not run: .*key"), NOT_THAT_ONE
        ),
        Tool.ANSIBLE: expect("refused, the others are done, exit 4", exits(4), says("HAS CHANGED"), NOT_THAT_ONE),
        Tool.PYINFRA: expect("refused, the others are done, exit 1", exits(1), says("HAS CHANGED"), NOT_THAT_ONE),
        Tool.CLUSTERSHELL: expect(
            "refused, the others are done, exit 0 (255 with `-S`)", exits(0), says("HAS CHANGED"), NOT_THAT_ONE
        ),
        Tool.PSSH: expect("**accepted, nothing is said**", exits(0), silent("(?i)key"), did("web1", "web2", "web3")),
        Tool.RSYNC: expect("refused, exit 12 or 255", fails, says("HAS CHANGED"), did()),
    }),
    Case("control", "escape sequences in a member's output", control, {
        Tool.MULTIALL: expect("shown as `\\x1b`, whole", exits(0), escaped, says("title")),
        Tool.ANSIBLE: expect("**reach the terminal**", exits(0), steers, says("\x1b]0;title\x07")),
        Tool.PYINFRA: expect("**reach the terminal**", exits(0), steers, says("\x1b]0;title\x07")),
        Tool.CLUSTERSHELL: expect("**reach the terminal**", exits(0), steers, says("\x1b]0;title\x07")),
        Tool.PSSH: expect("are handed to the script as they are", exits(0), steers, says("\x1b]0;title\x07")),
    }),
    Case("same", "three members print the same", same, {
        Tool.MULTIALL: expect(
            "told once, for `web[1-3]`", exits(0), says(r"web\[1-3\]"), says(r"\A[^\n]*\nall alike\n\Z")
        ),
        Tool.ANSIBLE: expect("told three times", exits(0), says(r"(?s)all alike.*all alike.*all alike")),
        Tool.PYINFRA: expect("told three times", exits(0), says(r"(?s)\] all alike.*\] all alike.*\] all alike")),
        Tool.CLUSTERSHELL: expect(
            "with `-b`: told once, for `web[1-3]`", exits(0), says(r"web\[1-3\]"), silent(r"(?s)all alike.*all alike")
        ),
        Tool.PSSH: expect("handed to the script for each", exits(0), says(r"(?s)all alike.*all alike.*all alike")),
    }),
    Case("flood", f"a member prints {LARGE} MB (to Ansible and parallel-ssh: {FLOOD} MB)", flood, {
        Tool.MULTIALL: expect(
            "its first and its last MB are shown, the rest is counted; memory grows by less than 30 MB",
            exits(0), stays(30), prints(2_000_000, 2_200_000), says(r"\[\.\.\. \d+"),
        ),
        Tool.ANSIBLE: expect("all is shown; memory grows by a multiple of it", exits(0), grows(2 * FLOOD), ALL),
        Tool.PYINFRA: expect("all is shown, and kept in memory", exits(0), grows(0.5 * LARGE), MORE),
        Tool.CLUSTERSHELL: expect("with `-b`: all is shown, and kept in memory", exits(0), grows(LARGE), MORE),
        Tool.PSSH: expect("all is kept in memory until the script has read it", exits(0), grows(FLOOD / 2), ALL),
    }),
    Case("stream", f"a member prints {LARGE} MB, which are shown as they come", stream, {
        Tool.MULTIALL: expect("`--stream`: all is shown, memory grows by less than 30 MB", exits(0), stays(30), MORE),
        Tool.CLUSTERSHELL: expect(
            "without `-b`: all is shown, memory grows by less than 30 MB", exits(0), stays(30), MORE
        ),
    }),
)  # fmt: skip
