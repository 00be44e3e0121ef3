"""The text of a rule's values, key by key, to show with their origins."""

from multiall_cli.domain.baseline import Expectation, Rule
from multiall_cli.planning.checks import CHECKS, Measure, Value, Worse, shown
from multiall_cli.planning.thresholds import in_words, limited_by


def describe_rule(rule: Rule) -> dict[str, str]:
    """Return key → value, as text, for every key that the rule sets."""
    return {key: _said(rule, key) for key in rule.where}


def _said(rule: Rule, key: str) -> str:
    check = CHECKS[rule.check]
    wanted = next((each for each in rule.expects if each.value == key), None)
    if wanted is not None:
        return _expected(wanted, check.values[key])
    if key in rule.subject:
        return shown({**check.subject, **check.optional}.get(key, Measure.TEXT), rule.subject[key])
    return _about(rule).get(key, "")


def _expected(wanted: Expectation, value: Value) -> str:
    if value.worse is Worse.NEITHER:
        return shown(value.measure, wanted.wanted)
    limits = [shown(value.measure, each) for each in (wanted.warning, wanted.critical) if each is not None]
    return ", ".join([*limits, *(in_words(each, value.measure) for each in wanted.ranges if each is not None)])


def _about(rule: Rule) -> dict[str, str]:
    limited = limited_by(rule)
    measure = CHECKS[rule.check].values[limited.value].measure if limited is not None else Measure.NUMBER
    return {
        "check": rule.check,
        "title": rule.title,
        "do": rule.todo,
        "severity": "warning" if rule.most == 3 else "critical",
        "for": shown(Measure.SECONDS, rule.lasting),
        "clear": "" if rule.clear is None else shown(measure, rule.clear),
        "needs": ", ".join(rule.needs),
        "often": f"{rule.often[0]} of {rule.often[1]}",
        "every": shown(Measure.SECONDS, rule.every),
        "same": ", ".join(rule.same),
        "remedy": " ".join(rule.remedy),
    }
