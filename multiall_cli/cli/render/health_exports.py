"""Health as other programs read it: TAP, Nagios plugins, Prometheus, SARIF, and Markdown for a pull request."""

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from math import isfinite, isnan
from urllib.parse import quote

from multiall_cli.cli.render.json_form import as_json
from multiall_cli.cli.render.runners import broken
from multiall_cli.cli.render.text import count, safe_text
from multiall_cli.domain.baseline import Code, Status, worst
from multiall_cli.domain.health import Health

NO_RULES = "no server has rules: pools take packs with `baseline: [linux]`"
NAGIOS_WORDS = ("OK", "WARNING", "CRITICAL", "UNKNOWN")
_UNSAFE = str.maketrans({"'": "_", "=": "_", "|": "_", "\n": " ", "\t": " "})


def tap(health: Health) -> str:
    """TAP version 13: a point for each rule of each server; what is neutral is skipped, with the reason."""
    points = [(each, status) for each in health.servers for status in each.statuses]
    lines = ["TAP version 13", f"1..{len(points) + len(health.lost)}"]
    number = 0
    for number, (_, status) in enumerate(points, 1):
        name = f"{status.server} {status.rule}"
        skipped = f" # SKIP {status.code.word}" if status.code // 100 == 1 else ""
        lines.append(f"{'not ok' if status.code.is_problem else 'ok'} {number} - {_hashless(name)}{skipped}")
        if status.code.is_problem:
            lines += [
                "  ---",
                f"  code: {status.code.value}",
                f"  shows: {json.dumps(safe_text(status.shows))}",
                "  ...",
            ]
    for server, words in health.lost.items():
        number += 1
        lines.append(f"not ok {number} - {_hashless(f'{server} {words}')}")
    return "\n".join(lines) + "\n"


def _hashless(text: str) -> str:
    return safe_text(text).replace("\\", "\\\\").replace("#", "\\#")


def nagios_code(health: Health) -> int:
    """What a plugin exits with. What is known of who cannot be asked counts too: unknown never hides critical."""
    if health.is_idle:
        return Code.STALE.nagios
    held = [status.code for each in health.servers if each.trouble for status in each.statuses]
    return worst([*_codes(health), *held, *([Code.UNREACHABLE] if health.left else [])]).nagios


def _codes(health: Health) -> list[Code]:
    """Of pools where they say more than their members: one with its quorum is no worse than a warning."""
    calmed = {name for pool in health.pools if pool.quorum is not None for name in _members(health, pool.pool)}
    return [*(each.code for each in health.servers if each.server not in calmed), *(each.code for each in health.pools)]


def _members(health: Health, pool: str) -> Sequence[str]:
    return health.members.get(pool, ())


def nagios(health: Health) -> str:
    """One line with perfdata, then the problems, as plugins print them."""
    if health.is_idle:
        return f"UNKNOWN: {NO_RULES}\n"
    bad = _problems(health)
    word = NAGIOS_WORDS[nagios_code(health)]
    told = f"{count(len(bad), 'problem')} on {count(len(health.servers), 'server')}"
    named = [*(map(_plain, bad)), *(safe_text(f"{server} {words}") for server, words in health.lost.items())]
    first = f"; {named[0]}" if named else ""
    perf = " ".join(filter(None, (_perf(status) for each in health.servers for status in each.statuses)))
    lines = [f"{word}: {told}{first}".replace("|", "/") + (f" | {perf}" if perf else "")]
    lines += [each.replace("|", "/") for each in named]
    return "\n".join(lines) + "\n"


def _plain(status: Status) -> str:
    return safe_text(f"{status.server} {status.rule} {status.code.value} {status.code.word}: {status.shows}")


def _perf(status: Status) -> str:
    if status.value is None or not isfinite(status.value):
        return ""
    end = ":" if status.low else ""  # `10:` alarms below 10, `10` above
    warning, critical = ("" if each is None or not isfinite(each) else _decimal(each) + end for each in status.limits)
    label = f"{status.server}.{status.rule}".translate(_UNSAFE)
    return f"'{safe_text(label)}'={_decimal(status.value)};{warning};{critical}"


def _decimal(value: float) -> str:
    """Plugins know no exponents."""
    return f"{value:.6f}".rstrip("0").rstrip(".")


def _problems(health: Health) -> list[Status]:
    """The worst first."""
    bad = [status for each in health.servers for status in each.problems]
    return sorted(bad, key=lambda each: (-each.code.rank, each.rule, each.server))


def prometheus(health: Health) -> str:
    """The text format that node_exporter's textfile collector takes."""
    lines = list(
        _metric("baseline_status", "the status code of a rule", _of_rules(health, lambda each: each.code.value))
    )
    lines += _metric("baseline_rank", "0 neutral, 1 good, 2 warning, 3 unknown, 4 critical", _of_servers(health))
    values = {key: each for key, each in _of_rules(health, lambda each: each.value).items() if each is not None}
    lines += _metric("baseline_value", "what a rule with limits measured", values)
    looked = {_labels(server=each.server): each.at for each in health.servers}
    lines += _metric("baseline_looked_at_seconds", "when the server was last looked at", looked)
    working = {_labels(pool=each.pool): each.working for each in health.pools}
    lines += _metric("baseline_pool_working", "members that are well enough", working)
    return "\n".join(lines) + "\n"


def _of_rules(health: Health, value: Callable[[Status], float | None]) -> dict[str, float | None]:
    return {
        _labels(server=each.server, rule=status.rule): value(status)
        for each in health.servers
        for status in each.statuses
    }


def _of_servers(health: Health) -> dict[str, float]:
    return {_labels(server=each.server): each.code.rank for each in health.servers}


def _metric(name: str, words: str, values: Mapping[str, float | None] | Mapping[str, float]) -> Iterator[str]:
    if values:
        yield f"# HELP multiall_{name} {words}"
        yield f"# TYPE multiall_{name} gauge"
        yield from (f"multiall_{name}{labels} {_sample(value)}" for labels, value in values.items())


def _sample(value: float | None) -> str:
    """As the text format writes numbers that are none."""
    if value is None or isnan(value):
        return "NaN"
    return repr(value) if isfinite(value) else "+Inf" if value > 0 else "-Inf"


def _labels(**labels: str) -> str:
    told = {key: broken(safe_text(value)).replace("\\", "\\\\").replace('"', '\\"') for key, value in labels.items()}
    return "{" + ",".join(f'{key}="{value}"' for key, value in told.items()) + "}"


_LEVELS = {3: "warning", 4: "error", 5: "error"}


def sarif(health: Health) -> str:
    """SARIF 2.1.0: each problem at the line of the rule that found it."""
    bad = _problems(health)
    rules = {each.rule: _described(each) for each in bad}
    run = {
        "tool": {"driver": {"name": "multiall", "rules": list(rules.values())}},
        "results": [*(_result(each) for each in bad), *(_lost(name, words) for name, words in health.lost.items())],
    }
    schema = "https://json.schemastore.org/sarif-2.1.0.json"
    return as_json({"$schema": schema, "version": "2.1.0", "runs": [run]})


def _described(status: Status) -> dict[str, object]:
    return {"id": safe_text(status.rule), "shortDescription": {"text": safe_text(status.title or status.rule)}}


def _lost(server: str, words: str) -> dict[str, object]:
    return {
        "ruleId": "server",
        "level": "error",
        "message": {"text": safe_text(f"{server}: {words}")},
        "locations": [{"logicalLocations": [{"name": safe_text(server), "kind": "resource"}]}],
    }


def _result(status: Status) -> dict[str, object]:
    place: dict[str, object] = {
        "logicalLocations": [{"name": safe_text(status.server), "kind": "resource"}],
    }
    if status.origin.line:
        region = {"startLine": status.origin.line, "startColumn": max(1, status.origin.column)}
        place["physicalLocation"] = {"artifactLocation": {"uri": _uri(status.origin.file)}, "region": region}
    text = f"{status.server}: {status.shows}" + (f" (wanted: {status.wanted})" if status.wanted else "")
    return {
        "ruleId": safe_text(status.rule),
        "level": _LEVELS[status.code // 100],
        "message": {"text": safe_text(text)},
        "locations": [place],
        "properties": {"code": status.code.value},
    }


def _uri(path: str) -> str:
    """A path as a URI (RFC 3986): relative to where the run began, or of a file."""
    named = quote(path.encode("utf-8", "surrogateescape"), safe="/")
    return f"file://{named}" if named.startswith("/") else named


def markdown(health: Health) -> str:
    """A table of the problems, for a comment or a page."""
    if health.is_idle:
        return f"{NO_RULES}\n"
    bad = _problems(health)
    found = worst([*(each.code for each in health.servers), *([Code.STALE] if health.left else [])])
    lines = [f"**{count(len(health.servers), 'server')}, {count(len(bad), 'problem')}**; the worst: {found.word}", ""]
    if bad:
        lines += ["| status | rule | server | shows | wanted |", "|---|---|---|---|---|"]
        lines += [_row(f"{e.code.value} {e.code.word}", e.rule, e.server, e.shows, e.wanted) for e in bad]
        lines.append("")
    lines += [f"- {_cell(server)}: {_cell(words)}" for server, words in health.lost.items()]
    return "\n".join(lines) + "\n"


def _row(code: str, *cells: str) -> str:
    return "| " + " | ".join([code, *map(_cell, cells)]) + " |"


def _cell(text: str) -> str:
    """Text from outside as code: in that, nothing is markup, and no name, address or number of a commit a link."""
    shown = safe_text(text)
    while "\\|" in shown:
        shown = shown.replace("\\|", "\\ |")  # a table takes the stroke behind two backslashes for its own
    fence = "`" * (max(map(len, re.findall("`+", shown)), default=0) + 1)
    space = " " if shown[:1] in ("`", " ") or shown[-1:] in ("`", " ") else ""
    return f"{fence}{space}{shown}{space}{fence}".replace("|", "\\|") if shown.strip() else ""


FORMS = {"tap": tap, "nagios": nagios, "prometheus": prometheus, "sarif": sarif, "markdown": markdown}
