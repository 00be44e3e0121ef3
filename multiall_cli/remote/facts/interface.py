"""The network interface fact."""

import os

from multiall_cli.remote.facts.sources import counter_mark, growth


def interface(name, mark=None):
    """Return present, state, speed (Mbit/s, if known), errors and dropped (since the interface came up), and
    error_rate and drop_rate (per second, since the last reading).
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
    # /proc/net/dev counts missed packets as dropped, too.
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
