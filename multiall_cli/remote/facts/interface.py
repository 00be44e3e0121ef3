"""The network interface fact."""

import os

from multiall_cli.remote.facts.sources import counter_mark, growth


def interface(name, mark=None):
    """present, state, speed (Mbit/s, where it is known), errors, dropped: since it came up; error_rate, drop_rate: a
    second, since the look before.
    """
    folder = "/sys/class/net/" + name
    if not os.path.isdir(folder):
        return {"present": False}, None

    def number(path):
        try:
            with open(folder + path) as opened:
                return int(opened.read())
        except (OSError, ValueError):
            return 0

    with open(folder + "/operstate") as opened:
        state = opened.read().strip()
    # What a card had no room for was dropped too, as /proc/net/dev has it.
    kinds = ("rx_errors", "tx_errors", "rx_dropped", "tx_dropped", "rx_missed_errors")
    lost = [number("/statistics/" + kind) for kind in kinds]
    values = {"present": True, "state": state, "errors": sum(lost[:2]), "dropped": sum(lost[2:])}
    if number("/speed") > 0:
        values["speed"] = number("/speed")
    now = counter_mark(lost, ":%d" % number("/ifindex"))
    found = growth(mark, now)
    if found is not None:
        took, grown = found
        values.update(error_rate=sum(grown[:2]) / took, drop_rate=sum(grown[2:]) / took)
    return values, now
