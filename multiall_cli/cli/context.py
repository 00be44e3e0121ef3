"""What a verb is given to work with: the Fleet, what was said, and who asks."""

import select
import signal
import socket
import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from typer import Context

from multiall_cli.cli.options import Given
from multiall_cli.domain.errors import Interrupted, UsageError
from multiall_cli.domain.plan import Plan
from multiall_cli.domain.run import Progress

if TYPE_CHECKING:
    from multiall_cli.fleet import Fleet


def options_of(context: Context) -> Given:
    """What was said on the command line."""
    said = context.obj
    return said if isinstance(said, Given) else Given()


@contextmanager
def fleet(
    context: Context, watch: Callable[[Progress], None] = lambda step: None, stop: Callable[[], bool] = lambda: False
) -> "Iterator[Fleet]":
    """The site's Fleet, closed afterwards. `watch`, `stop`: as of FleetOptions."""
    from multiall_cli.fleet import Fleet
    from multiall_cli.fleet.options import FleetOptions

    said = options_of(context)
    options = FleetOptions(said.parallel, said.timeout, watch, stop, warn, _become_password(said))
    with Fleet.load(said.site, options) as found:
        yield found


def _become_password(said: Given) -> str | None:
    """The password that is typed once for the run; None if none is asked for.

    Raises UsageError without a terminal, Interrupted.
    """
    if not said.ask_become_pass:
        return None
    from getpass import GetPassWarning, getpass

    if not can_ask():
        todo = "declare it: `become: {method: sudo, password: '${env:NAME}'}`"
        raise UsageError("--ask-become-pass", "there is no terminal to ask on", todo)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", GetPassWarning)  # it would be shown while it is typed
            typed = getpass("become password: ", sys.stderr)
    except (EOFError, KeyboardInterrupt):
        raise Interrupted("multiall", "interrupted at the question; nothing was changed", "run it again") from None
    except GetPassWarning:
        raise UsageError("--ask-become-pass", "the terminal would show what is typed", "use another one") from None
    if not typed:
        raise UsageError("--ask-become-pass", "nothing was typed", "run it again")
    return typed


def warn(words: str) -> None:
    """Print on stderr what the admin should know besides the result."""
    from multiall_cli.cli.render.text import safe_text

    sys.stderr.write(f"{safe_text(words)}\n")


@contextmanager
def fleet_with_progress(context: Context, what: str) -> "Iterator[tuple[Fleet, Callable[[], None]]]":
    """A Fleet whose steps are shown and that Ctrl-C stops; and what clears the line before something is asked."""
    from multiall_cli.cli.interrupt import Interrupt
    from multiall_cli.cli.progress import ProgressLine

    interrupt, progress = Interrupt(), ProgressLine(what, quiet=options_of(context).quiet)
    with fleet(context, progress, interrupt.asked) as found, interrupt, progress:
        yield found, progress.pause


def require_complete(found: "Fleet", what: str) -> None:
    """Before an answer that makes sense only as a whole. Errors: Interrupted where a part of it is missing."""
    if found.options.stop():
        raise Interrupted(what, "interrupted before all members were looked at; nothing was changed", "run it again")


def not_reached(found: "Fleet", target: str, answered: Sequence[str]) -> tuple[str, ...]:
    """The servers of a target that an interrupted verb did not come to."""
    if not found.options.stop():
        return ()
    servers = found.servers.select_or_all(target)
    return tuple(server.name for server in servers if server.name not in set(answered))


def must_ask(context: Context) -> bool:
    """Whether a question is to be put. Errors: UsageError where no one could answer it."""
    if options_of(context).yes:
        return False
    if not can_ask():
        raise UsageError(context.command_path, "it would ask and there is no terminal", "add --yes")
    return True


def can_ask() -> bool:
    """Whether someone would see a question, and could answer it."""
    return sys.stdin.isatty() and sys.stderr.isatty()


def ask(question: str) -> bool:
    """A question on stderr; anything but y or yes means no. Errors: Interrupted (a signal is an answer too)."""
    ends = (signal.SIGINT, signal.SIGTERM)
    before = [signal.signal(number, signal.default_int_handler) for number in ends]
    try:
        sys.stderr.write(f"{question} [y/N] ")
        sys.stderr.flush()
        _until_typed()
        return sys.stdin.readline().strip().lower() in ("y", "yes")
    except KeyboardInterrupt:
        sys.stderr.write("\n")
        raise Interrupted("multiall", "interrupted at the question; nothing was changed", "run it again") from None
    finally:
        for number, handler in zip(ends, before, strict=True):
            signal.signal(number, handler)


def _until_typed() -> None:
    """Wait for a line on stdin, or a signal: one that comes just before a blocking read would not end the read."""
    ours, signals = socket.socketpair()
    with ours, signals:
        signals.setblocking(False)
        before = signal.set_wakeup_fd(signals.fileno())
        try:
            while sys.stdin not in select.select([sys.stdin, ours], [], [])[0]:
                ours.recv(1)  # of another signal; SIGINT and SIGTERM raise
        finally:
            signal.set_wakeup_fd(before)


def question(plan: Plan, verb: str, among: str) -> str:
    """How much is touched, in one line. `among`: `40 members of web`."""
    from multiall_cli.cli.render.text import count

    deletions = f"; {count(plan.deletions, 'deletion')}" if plan.deletions else ""
    away = f"; {len(plan.absent)} not reached" if plan.absent else ""
    members = {each.name for each in plan.members}
    changing = [part for part in plan.parts if part.changes]
    in_services = {each.name: len(part.changes) for part in changing for each in part.subjects if not each.is_member}
    touched = f"{count(plan.changes - sum(in_services.values()), 'change')} on "
    touched += f"{len(members & set(plan.changed))} of {among}"
    touched += "".join(f"; {count(number, 'change')} in {name}" for name, number in in_services.items())
    owed = f"; {count(len(plan.pending), 'handler')} owed by an earlier run" if plan.pending else ""
    return f"{verb}: {touched}{deletions}{owed}{away}. Go on?"
