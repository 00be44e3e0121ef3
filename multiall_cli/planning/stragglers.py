"""Decides how long the last members are waited for, once most of the others have ended."""

from collections.abc import Sequence

TIMES = 10.0
"""So many times as long as the slowest of the others a member may take."""

SILENCES = 2.0
"""At least so many silences (`--timeout`): two minutes where a silence is a minute."""


def allowance(ended: Sequence[float], items: int, silence: float) -> float | None:
    """Seconds that each of the others may take; None as long as fewer than half of all items have ended.

    `ended`: the seconds that each of those took; `silence`: seconds of silence that are waited for.
    """
    if 2 * len(ended) < items or not ended:
        return None
    return max(SILENCES * silence, TIMES * max(ended))
