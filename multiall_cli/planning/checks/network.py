"""Checks of ports, connections, names, certificates and interfaces."""

from collections.abc import Mapping
from dataclasses import replace

from multiall_cli.domain.baseline import Code
from multiall_cli.planning.checks.kinds import (
    MATCHES,
    PRESENT,
    THERE,
    Check,
    Value,
    Worse,
    high,
    low,
    state,
    text,
)
from multiall_cli.planning.measures import Measure
from multiall_cli.planning.value_comparison import (
    covers,
    never_answers,
    never_listens,
    same_address,
    same_listener,
    same_record,
)

ANSWERS = Value(Measure.WORDS, means="that are all among its own", alike=same_record, never=never_answers)
CHECKS: Mapping[str, Check] = {
    "port": Check(
        "A port that something listens on.",
        {"port": Measure.PORT},
        {"protocol": Measure.PROTOCOL},
        {
            "open": state("whether something does"),
            "addresses": Value(
                Measure.WORDS,
                code=Code.WRONG_ACCESS,
                means="and on no others",
                exact=True,
                alike=same_listener,
                never=never_listens,
            ),
        },
        {"open": True},
    ),
    "tcp": Check(
        "A connection from the server to another place.",
        {"address": Measure.HOST, "port": Measure.PORT},
        values={"open": state("whether it can be made"), "took": high(Measure.SECONDS, "until it was")},
        implied={"open": True},
    ),
    "ping": Check(
        "An echo (ICMP) from another place.",
        {"address": Measure.HOST},
        values={"open": state("whether it answers"), "took": high(Measure.SECONDS, "until it did")},
        implied={"open": True},
    ),
    "dns": Check(
        "A name, asked by the server of a name server: its first ones, where none is named.",
        {"name": Measure.HOST},
        {"type": Measure.RECORDS, "server": Measure.HOST, "port": Measure.PORT},
        {
            "present": PRESENT,
            "answers": ANSWERS,
            "only": replace(ANSWERS, means="the same, and no others", exact=True, of="answers"),
            "took": high(Measure.SECONDS, "until it was answered"),
        },
        THERE,
    ),
    "http": Check(
        "One GET by the server itself; redirections are not followed.",
        {"url": Measure.URL},
        {"match": Measure.PATTERN, "insecure": Measure.FLAG},
        {
            "present": Value(Measure.FLAG, code=Code.WRONG_STATE, means="whether there is an answer"),
            "status": text("its number", Measure.COUNT),
            "matches": MATCHES,
            "took": high(Measure.SECONDS, "until the whole answer was there"),
        },
        {"present": True, "status": 200},
        asks={"match": "matches"},
    ),
    "certificate": Check(
        "Certificates: all of a file (`path`, in PEM form), or all that a place sends that speaks TLS (`address`, "
        "`port`, `name`).",
        {},
        {"path": Measure.TEXT, "address": Measure.HOST, "port": Measure.PORT, "name": Measure.HOST},
        {
            "present": PRESENT,
            "left": Value(Measure.SECONDS, Worse.LOW, means="until the first of them ends", warns=Code.EXPIRING),
            "started": state("whether all of them are valid already"),
            "names": Value(Measure.WORDS, means="that the first one is valid for (RFC 6125)", alike=covers),
            "trusted": Value(Measure.FLAG, means="by the server's own authorities, for its name", dear=True),
        },
        {"present": True, "started": True, "left": (30 * 86400.0, 7 * 86400.0)},
        either=("path", "address"),
    ),
    "interface": Check(
        "A network interface.",
        {"name": Measure.TEXT},
        values={
            "present": PRESENT,
            "state": state("up, down or unknown", Measure.TEXT),
            "speed": low(Measure.COUNT, "Mbit/s"),
            "errors": high(Measure.COUNT, "since it came up"),
            "dropped": high(Measure.COUNT, "since it came up"),
            "error_rate": high(Measure.NUMBER, "a second, since the look before", over=True),
            "drop_rate": high(Measure.NUMBER, "a second, since the look before", over=True),
        },
        implied=THERE,
        marked=True,
    ),
    "route": Check(
        "A route of IPv4.",
        {},
        {"to": Measure.TEXT},
        {"present": PRESENT, "via": text("the next hop", alike=same_address)},
        THERE,
    ),
}
