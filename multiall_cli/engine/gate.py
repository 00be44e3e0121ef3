"""Rollout gate: the next batch waits until the members of this one are healthy several times in a row."""

from collections.abc import Callable, Iterable

from multiall_cli.domain.baseline import Code, ServerHealth
from multiall_cli.domain.inventory import Gate
from multiall_cli.engine.context import Context
from multiall_cli.planning.pools import works

STEP = 0.1  # seconds
INTERRUPTED = "interrupted"


def wait_until_healthy(gate: Gate, context: Context, look: Callable[[], Iterable[ServerHealth]]) -> str:
    """Return '' once all members were green `stable` times in a row; after `within`, return the first failures."""
    until = context.clock.monotonic() + gate.within
    green = 0
    while not context.stop():
        red = [each for each in look() if not is_green(each)]
        green = 0 if red else green + 1
        if green >= gate.stable:
            return ""
        why = "; ".join(map(_words, red[:3])) or f"green {green} of {gate.stable} times"
        if context.clock.monotonic() + gate.every > until:
            return why
        _wait(context, gate.every)
    return INTERRUPTED


def _wait(context: Context, seconds: float) -> None:
    """Wait in short steps, so that an interruption does not wait for the next check."""
    until = context.clock.monotonic() + seconds
    while not context.stop() and (left := until - context.clock.monotonic()) > 0:
        context.pause(min(left, STEP))


def is_green(checked: ServerHealth) -> bool:
    """Return whether it was checked now and nothing fails, not even a soft failure."""
    soft = any(each.code is Code.SOFT_FAIL for each in checked.statuses)
    return not checked.trouble and works(checked.code) and not soft


def _words(checked: ServerHealth) -> str:
    bad = next((each for each in checked.statuses if each.code.is_problem or each.code is Code.SOFT_FAIL), None)
    if checked.trouble or bad is None:
        return f"{checked.server}: {checked.code.value} {checked.code.word} ({checked.trouble})"
    return f"{checked.server}: {bad.rule} {bad.code.value} {bad.code.word} ({bad.shows})"
