"""Scans that go on: the loop of every verb that watches, and how often it may look."""

import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

import typer

from multiall_cli.cli.interrupt import Interrupt
from multiall_cli.cli.render.text import safe_text
from multiall_cli.cli.render.times import seconds_of
from multiall_cli.cli.stdio import is_gone
from multiall_cli.domain.errors import Locked, UsageError

if TYPE_CHECKING:
    from multiall_cli.domain.topology import Round
    from multiall_cli.fleet import Fleet

LINKS_EVERY = 600.0  # seconds of a watch in which servers are asked about each other once: each leaves lines in logs
SHORTEST = 1.0  # seconds between two looks
AGAIN = 0.5  # seconds between two rounds of a watch while someone is suspect


def pause_of(every: str, subject: str) -> float:
    """Seconds between two looks. Errors: UsageError where that is no span, or so short that it never pauses."""
    pause = seconds_of(every, subject)
    if pause < SHORTEST:
        raise UsageError(subject, f"{every!r} is too short between two looks", f"write {SHORTEST:.0f}s or more")
    return pause


def rounds(found: "Fleet", interrupt: Interrupt, pause: float, number: int) -> "Iterator[Round]":
    """Scan again and again over sessions that stay open, until it is interrupted or no one reads any longer.

    `pause`: seconds between the beginnings of two rounds; a round comes at once where something hints at work.
    """
    found.topology.keep_warm()
    linked = -LINKS_EVERY
    for at in range(number):
        began = time.monotonic()
        links = began - linked >= LINKS_EVERY
        rest = pause
        try:
            told = found.topology.scan(links=None if links else False)
        except Locked as fault:  # a scan of cron's, or another watch: what it saw is heard in the next round
            typer.echo(safe_text(f"{fault.subject}: {fault.what}"), err=True)
        else:
            linked = time.monotonic() if links else linked
            yield told
            rest = AGAIN if told.topology.doubts else pause
        if at == number - 1 or interrupt.wait(rest - (time.monotonic() - began), found.topology.is_hinted) or is_gone():
            return
