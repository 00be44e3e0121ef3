"""Runs a command line: every way in which it can end becomes words and an exit code, never a traceback."""

import contextlib
import os
import sys
import traceback
from collections.abc import Sequence
from typing import Any

from multiall_cli.cli.options import HUMAN, Format, Given, output_said
from multiall_cli.cli.render.runners import is_runner, write_commands
from multiall_cli.cli.stdio import leave, prepare, silence
from multiall_cli.domain.errors import InputFaults, MultiAllError, UsageError
from multiall_cli.domain.exits import Exit
from multiall_cli.planning.suggestions import did_you_mean

NAGIOS_UNKNOWN = 3  # what a plugin exits with that could not do its work

COMPLETE = "_MULTIALL_COMPLETE"
"""Set by a shell that wants to complete a line, to what it wants."""


def run(argv: Sequence[str]) -> int:
    """The exit code of a command line."""
    prepare(to_runner=is_runner(os.environ) or output_said(argv) is Format.GITHUB)
    try:
        return _run(argv, Given())
    except BrokenPipeError:
        return silence(Exit.OK)


def _run(argv: Sequence[str], given: Given) -> int:
    from typer import Exit as Ended
    from typer._click.exceptions import ClickException
    from typer.main import get_command

    from multiall_cli.cli.app import app

    try:
        root = get_command(app)
        if COMPLETE in os.environ or any("-completion" in word for word in argv):
            from multiall_cli.cli.completion_bash import teach

            teach()
        if COMPLETE in os.environ:
            root.main(args=list(argv), prog_name="multiall", complete_var=COMPLETE)
        # Not `main`: it makes exit codes of its own out of Ctrl-C and closed pipes, before we have said a word.
        with root.make_context("multiall", list(argv), obj=given) as context:
            code = root.invoke(context)
        sys.stdout.flush()
        return int(code or 0)
    except Ended as ended:
        return int(ended.exit_code)
    except ClickException as fault:
        return _misused(_as_said(given, argv), fault)
    except MultiAllError as fault:
        return _tell(_as_said(given, argv), fault, fault.exit_code)
    except KeyboardInterrupt:
        stopped = MultiAllError("multiall", "interrupted", "what was done is in `multiall journal list`")
        leave(_tell(given, stopped, Exit.INTERRUPTED))
    except BrokenPipeError:
        raise
    except Exception as fault:  # noqa: BLE001  (the outermost boundary: a fault of ours is told as one)
        what = f"a fault of MultiAll itself ({type(fault).__name__}: {fault})"
        ours = MultiAllError("multiall", what, "run it again with --debug and report what it prints")
        ours.__cause__ = fault
        return _tell(given, ours, Exit.ERROR)
    return int(Exit.ERROR)


def _as_said(given: Given, argv: Sequence[str]) -> Given:
    """With the output that the line asks for, also where it was refused before that was read."""
    if not given.understood:
        given.output = output_said(argv) or given.output
    return given


def _misused(given: Given, fault: Any) -> int:
    """A word on the line that does not fit."""
    from typer._click.exceptions import NoArgsIsHelpError

    context = getattr(fault, "ctx", None)
    path = context.command_path if context is not None else "multiall"
    if isinstance(fault, NoArgsIsHelpError) and given.output in HUMAN:
        sys.stderr.write(fault.format_message() + "\n")
        return int(Exit.USAGE)
    what, hint = _misfit(fault)
    return _tell(given, UsageError(path, what, f"{hint}see `{path} --help`"), Exit.USAGE)


def _misfit(fault: Any) -> tuple[str, str]:
    """What does not fit, in our words, and a hint."""
    from typer._click import exceptions as kinds

    words = str(fault.format_message()).strip().rstrip(".")
    if isinstance(fault, kinds.NoArgsIsHelpError) or words == "Missing command":
        return f"it lacks a {'command' if fault.ctx.parent is None else 'verb'}", ""
    if isinstance(fault, kinds.NoSuchOption) and fault.ctx is not None:
        known = [name for each in fault.ctx.command.params for name in each.opts if name.startswith("--")]
        return f"there is no option {fault.option_name}", did_you_mean(fault.option_name, [*known, "--help"])
    if isinstance(fault, kinds.MissingParameter):
        return f"{fault.param.human_readable_name.rstrip('.') if fault.param else 'a word'} is missing", ""
    if words.startswith("Got unexpected extra argument"):
        return f"it takes no more words than that, and got {words.partition('(s) ')[2][1:-1]}", ""
    for theirs, ours in _OURS.items():
        words = words.replace(theirs, ours)
    return words[:1].lower() + words[1:], ""


_OURS = {
    "is not a valid int range": "is not a whole number",
    "is not a valid float range": "is not a number",
    "is not a valid integer": "is not a whole number",
}


def _tell(given: Given, fault: MultiAllError, code: Exit) -> int:
    """One error: in words on stderr, or in the form that was asked for on stdout."""
    from multiall_cli.cli.render.text import safe_text

    if given.debug:
        traceback.print_exception(fault)
    if given.output not in HUMAN:
        from multiall_cli.cli.render.failure import failure

        try:
            write_commands(sys.stdout, failure(given.output, fault, code))
            sys.stdout.flush()
        except OSError as full:
            silence(code)
            sys.stderr.write(safe_text(f"{fault} (and stdout cannot be written: {full.strerror})") + "\n")
        return int(code)
    if given.drawing == "nagios":  # who runs a plugin reads the first line of stdout, and four codes
        sys.stdout.write(safe_text(f"UNKNOWN: {fault}").replace("|", "/") + "\n")
        unknown = NAGIOS_UNKNOWN
    else:
        unknown = int(code)
    for each in fault.faults if isinstance(fault, InputFaults) else ():
        sys.stderr.write(safe_text(str(each)) + "\n")
    sys.stderr.write(safe_text(str(fault)) + "\n")
    with contextlib.suppress(BrokenPipeError):
        sys.stdout.flush()
    return unknown
