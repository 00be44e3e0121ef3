"""Time limit for the last members, once most of the others have finished."""

from collections.abc import Sequence

TIMES = 10.0
"""A member may take this many times as long as the slowest finished one."""

SILENCES = 2.0
"""The limit is at least this many silences (`--timeout`): two minutes for a silence of one minute."""


def allowance(ended: Sequence[float], items: int, silence: float) -> float | None:
    """Return the seconds that each remaining item may take, or None until half of all items have finished.

    `ended`: seconds that each finished item took; `silence`: the silence limit, in seconds.
    """
    if 2 * len(ended) < items or not ended:
        return None
    return max(SILENCES * silence, TIMES * max(ended))
