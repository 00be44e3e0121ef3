"""Warnings about valid but odd baseline rules. Pure."""

from collections.abc import Iterable, Iterator, Sequence
from fnmatch import fnmatchcase

from multiall_cli.domain.baseline import Rule
from multiall_cli.domain.errors import Fault, Origin
from multiall_cli.domain.health import DAY, Waiver
from multiall_cli.domain.inventory import Inventory
from multiall_cli.planning import waivers
from multiall_cli.planning.checks import CHECKS, Worse
from multiall_cli.planning.rules import Packs, RuleBook
from multiall_cli.planning.suggestions import did_you_mean


def found_odd(inventory: Inventory, packs: Packs, holding: Sequence[Waiver], now: float, longest: float) -> list[Fault]:
    """Return all warnings, in the order of their origins. `longest`: seconds that an exception may last."""
    book = RuleBook(inventory, packs, lambda origin, what, todo: None)
    rules = {name: book.of(name) for name in inventory.servers}
    every = {rule.id for own in rules.values() for rule in own}
    distinct = {(rule.id, rule.origin): rule for own in rules.values() for rule in own}
    found = [
        *(fault for rule in distinct.values() for fault in _of_rule(rule, every)),
        *_left_out(inventory, packs),
        *_unheld(waivers.declared(inventory), every, now, longest),
        *(_of_waiver(each) for each in holding if each.number and not _matches(each, every)),
    ]
    return sorted(set(found), key=lambda each: (each.origin.file, each.origin.line, each.origin.column, each.what))


def _of_rule(rule: Rule, every: set[str]) -> Iterator[Fault]:
    for need in rule.needs:
        if need not in every:
            what = f"the rule {rule.id} needs {need}, which no server has"
            yield Fault(_where(rule, "needs"), what, f"{did_you_mean(need, every)}take it out, or add it")
    if rule.clear is not None and not _clears(rule):
        yield Fault(
            _where(rule, "clear"), "'clear' lies beyond the limit that warns", "make it stricter than that limit"
        )
    if rule.remedy and not rule.lasting and rule.often == (1, 1):
        what = f"the rule {rule.id} has a remedy, and one bad look calls for it"
        yield Fault(_where(rule, "remedy"), what, "add `for` or `often`")
    yield from values_that_never_are(rule)


def values_that_never_are(rule: Rule) -> Iterator[Fault]:
    """Yield a fault for each expected value that no server can ever have."""
    for each in rule.expects:
        never = CHECKS[rule.check].values[each.value].never
        for word in each.wanted if never is not None and isinstance(each.wanted, tuple) else ():
            if never is not None and (todo := never(rule.subject, word)):
                yield Fault(_where(rule, each.value), f"{each.value!r} can never be {word!r}", todo)


def _clears(rule: Rule) -> bool:
    """Return whether `clear` is at least as strict as the limit that warns."""
    for each in rule.expects:
        worse = CHECKS[rule.check].values[each.value].worse
        limit = each.warning if each.warning is not None else each.critical
        if worse is not Worse.NEITHER and limit is not None and rule.clear is not None:
            return rule.clear <= limit if worse is Worse.HIGH else rule.clear >= limit
    return True


def _where(rule: Rule, key: str) -> Origin:
    return rule.where.get(key, rule.origin)


def _left_out(inventory: Inventory, packs: Packs) -> Iterator[Fault]:
    """Yield a fault for each name under `without:` that the pool would not have anyway."""
    for pool in inventory.pools.values():
        known = {rule for name in pool.baseline for rule in packs.get(name, {})} | set(pool.rules)
        for name in pool.without:
            if name not in known:
                what = f"the pool {pool.name} leaves out {name}, which it would not have"
                yield Fault(pool.origin, what, f"{did_you_mean(name, known)}take it out")


def _unheld(declared: Iterable[Waiver], every: set[str], now: float, longest: float) -> Iterator[Fault]:
    for each in declared:
        if each.ends <= now:
            yield Fault(each.origin, f"the exception for {each.rule} is over", "take it out, or renew it")
        elif each.ends - now > longest:
            held = _days(each.ends - now)
            what = f"the exception for {each.rule} holds for {held} more, and {_days(longest)} are allowed"
            yield Fault(each.origin, what, "give it an earlier end, or change `longest` under `baseline:`")
        elif not _matches(each, every):
            yield _of_waiver(each)


def _days(seconds: float) -> str:
    return f"{seconds / DAY:.0f} days"


def _of_waiver(waiver: Waiver) -> Fault:
    what = f"the waiver of {waiver.rule} on {waiver.target} is about no rule"
    todo = f"`multiall baseline revoke {waiver.number}`" if waiver.number else "take it out"
    return Fault(waiver.origin, what, todo)


def _matches(waiver: Waiver, every: set[str]) -> bool:
    return any(fnmatchcase(rule, waiver.rule) for rule in every)
