"""The rules of one server, from packs, pools and the server itself. Pure.

The most specific value of a key wins: the server's own, then a pool's, then a pack's.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import field
from graphlib import CycleError, TopologicalSorter

from multiall_cli.domain.baseline import Expectation, Range, Rule
from multiall_cli.domain.dataclass import dataclass
from multiall_cli.domain.errors import Origin
from multiall_cli.domain.inventory import Inventory, Pool
from multiall_cli.domain.rule_source import Saying, SourcedValue
from multiall_cli.planning.checks import CHECKS, Check, Measure, Value, Worse, read
from multiall_cli.planning.checks.declarations import drift_rules
from multiall_cli.planning.suggestions import did_you_mean
from multiall_cli.planning.thresholds import is_within

Tell = Callable[[Origin, str, str], None]
Packs = Mapping[str, Mapping[str, Saying]]
"""pack → rule → its keys and values."""

ABOUT = ("check", "title", "do", "severity", "for", "clear", "needs", "often", "every", "same", "remedy")
"""Keys of a rule that are not values of its check."""
_PLAIN = ("check", "title", "do", "severity", "for", "clear", "often", "every")
_OFTEN = re.compile(r"([0-9]{1,2}) of ([0-9]{1,2})")
_ID = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,63}")


def rules_of(inventory: Inventory, packs: Packs, server: str, tell: Tell) -> tuple[Rule, ...]:
    """Return the rules of one server in the order of evaluation: a rule comes after the rules that it needs."""
    own, pools = inventory.servers[server], inventory.pools_of(server)
    without = set(own.without).union(*(pool.without for pool in pools))
    said = {rule: words for rule, words in merged(layers(inventory, packs, server)).items() if rule not in without}
    built = {rule: made for rule, words in said.items() if (made := build(rule, words, tell, said)) is not None}
    return _in_order(built, tell)


@dataclass(slots=True)
class RuleBook:
    """Cache of the rules of many servers.

    Servers in the same pools share their rules, unless they set rules of their own. Each call returns the same objects.
    """

    inventory: Inventory
    packs: Packs
    tell: Tell
    _shared: dict[tuple[str, ...], tuple[Rule, ...]] = field(default_factory=dict)
    _own: dict[str, tuple[Rule, ...]] = field(default_factory=dict)
    _declared: dict[str, tuple[Rule, ...]] = field(default_factory=dict)

    def declared(self, server: str) -> tuple[Rule, ...]:
        """Return the drift rules of what its pools declare."""
        if not self._declared:
            self._declared.update(drift_rules(self.inventory))
        return self._declared[server]

    def of(self, server: str) -> tuple[Rule, ...]:
        own = self.inventory.servers[server]
        if own.rules or own.without:
            if server not in self._own:
                self._own[server] = rules_of(self.inventory, self.packs, server, self.tell)
            return self._own[server]
        pools = tuple(pool.name for pool in self.inventory.pools_of(server))
        if pools not in self._shared:
            self._shared[pools] = rules_of(self.inventory, self.packs, server, self.tell)
        return self._shared[pools]


def layers(inventory: Inventory, packs: Packs, server: str) -> list[Mapping[str, Saying]]:
    """Return all layers of a server's rules, the most specific last; among pools, the highest priority last."""
    pools = sorted(inventory.pools_of(server), key=lambda pool: pool.priority)
    chosen = [packs.get(name, {}) for pool in pools for name in pool.baseline]
    return [*chosen, *(pool.rules for pool in pools), inventory.servers[server].rules]


def merged(said: Iterable[Mapping[str, Saying]]) -> dict[str, dict[str, SourcedValue]]:
    """Return rule → key → the last value set."""
    found: dict[str, dict[str, SourcedValue]] = {}
    for layer in said:
        for rule, words in layer.items():
            found.setdefault(rule, {}).update(words)
    return found


def conflicts(inventory: Inventory, packs: Packs) -> dict[tuple[Origin, Origin], str]:
    """Return pairs of origins that conflict → the key, rule and server in question.

    A conflict: two pools of a server set different values for one key of a rule, with equal priority, and the server
    does not decide itself.
    """
    found: dict[tuple[Origin, Origin], str] = {}
    seen: set[tuple[str, ...]] = set()
    for server in inventory.servers.values():
        pools = inventory.pools_of(server.name)
        names = tuple(pool.name for pool in pools)
        speaks = bool(server.rules or server.without)
        if len(pools) < 2 or (names in seen and not speaks):
            continue
        if not speaks:
            seen.add(names)
        for (rule, key), said in _words_of(pools, packs).items():
            decided = key in server.rules.get(rule, {}) or rule in server.without
            heaviest = max(priority for priority, _ in said)
            equal = [word for priority, word in said if priority == heaviest]
            other = next((word for word in equal if word.value != equal[0].value), None)
            if other is not None and not decided and not any(rule in pool.without for pool in pools):
                found[equal[0].origin, other.origin] = f"{key!r} of the rule {rule} for {server.name}"
    return found


def _words_of(pools: Iterable[Pool], packs: Packs) -> dict[tuple[str, str], list[tuple[int, SourcedValue]]]:
    """Return (rule, key) → the last value of each pool, with its priority."""
    found: dict[tuple[str, str], list[tuple[int, SourcedValue]]] = {}
    for pool in pools:
        own = merged([*(packs.get(name, {}) for name in pool.baseline), pool.rules])
        for rule, words in own.items():
            for key, word in words.items():
                found.setdefault((rule, key), []).append((pool.priority, word))
    return found


def build(rule: str, said: Saying, tell: Tell, known: Mapping[str, Saying] | None = None) -> Rule | None:
    """Build one rule. Reports every error; returns None if there is any.

    `known`: all rules of the same servers, to suggest the nearest name.
    """
    place = next(iter(said.values())).origin
    check = CHECKS.get(_text(said, "check"))
    if check is not None and check.ours:
        tell(said["check"].origin, f"no rule asks for {_text(said, 'check')}", "take it out: it is checked without one")
        return None
    if check is None:
        tell(said["check"].origin if "check" in said else place, *_without_check(rule, said, known or {}))
        return None
    work = _Work(rule, said, check, tell)
    work.plain()
    made = Rule(
        id=rule,
        check=_text(said, "check"),
        subject=work.subject(),
        expects=work.expects(),
        title=_text(said, "title"),
        todo=_text(said, "do"),
        most=work.severity(),
        lasting=work.seconds("for"),
        clear=work.clear(),
        needs=_texts(said, "needs"),
        often=work.often(),
        every=work.seconds("every"),
        same=work.same(),
        remedy=work.remedy(),
        origin=place,
        where={key: each.origin for key, each in said.items()},
    )
    return None if work.wrong else made


def _without_check(rule: str, said: Saying, known: Mapping[str, Saying]) -> tuple[str, str]:
    """Return (problem, what to do) for a rule without a known check."""
    if wrong := _text(said, "check"):
        return f"there is no check {wrong!r}", f"{did_you_mean(wrong, CHECKS)}`multiall baseline checks` shows all"
    what = f"the rule {rule} names no check"
    if near := "".join(did_you_mean(key, ["check"]) for key in said):
        return what, f"{near}`multiall baseline checks` shows all"
    if near := did_you_mean(rule, [name for name, words in known.items() if "check" in words]):
        return f"{what}, and no pack has it", f"{near}`multiall baseline rules` shows those that there are"
    return what, "`multiall baseline checks` shows all"


def keys_of(check: Check) -> set[str]:
    """Return all keys that a rule with this check may set."""
    return {*check.subject, *check.optional, *check.values, *ABOUT}


def _text(said: Saying, key: str) -> str:
    value = said[key].value if key in said else ""
    return value if isinstance(value, str) else " ".join(value)


def _texts(said: Saying, key: str) -> tuple[str, ...]:
    value = said[key].value if key in said else ()
    return (value,) if isinstance(value, str) else value


@dataclass(slots=True)
class _Work:
    """Builder of one rule."""

    rule: str
    said: Saying
    check: Check
    tell: Tell
    wrong: bool = field(default=False)

    def _fault(self, key: str, what: str, todo: str) -> None:
        self.wrong = True
        origin = self.said[key].origin if key in self.said else self.said["check"].origin
        self.tell(origin, what, todo)

    def plain(self) -> None:
        """Report lists where a single word is expected."""
        for key in _PLAIN:
            if key in self.said and not isinstance(self.said[key].value, str):
                self._fault(key, f"{key!r} is a list", "write one value")

    def subject(self) -> dict[str, object]:
        known = keys_of(self.check)
        for key in self.said:
            if key not in known:
                what = f"the check {self.said['check'].value} knows no {key!r}"
                self._fault(key, what, f"{did_you_mean(key, known)}it knows {', '.join(sorted(known))}")
        for key in self.check.subject:
            if key not in self.said:
                self._fault(key, f"the rule {self.rule} names no {key!r}", f"write {self.check.subject[key].value}")
        wanted = {**self.check.subject, **self.check.optional}
        found = {key: self._read(key, measure) for key, measure in wanted.items() if key in self.said}
        asked = {*self.said, *_texts(self.said, "same")}
        found.update({key: True for key, value in self.check.values.items() if value.dear and key in asked})
        if self.check.either and not set(self.check.either) & set(found):
            self._fault("check", f"the rule {self.rule} names no subject", f"write {' or '.join(self.check.either)}")
        return found

    def _read(self, key: str, measure: Measure, said: str | None = None) -> object:
        value = self.said[key].value if said is None else said
        if measure is Measure.WORDS:
            return (value,) if isinstance(value, str) else value
        try:
            if not isinstance(value, str):
                raise ValueError(value)
            return read(measure, value)
        except ValueError:
            told = value if isinstance(value, str) else f"[{', '.join(value)}]"
            self._fault(key, f"{key!r} is {told!r}", f"write {measure.value}")
            return None

    def expects(self) -> tuple[Expectation, ...]:
        said = [self._expectation(name, value) for name, value in self.check.values.items() if name in self.said]
        left = {name: wanted for name, wanted in self.check.implied.items() if name not in self.said}
        for each in said:
            for name in self.check.instead.get(each.value, ()) if each.wanted is True else ():
                left.pop(name, None)
        absent = self.check.absent
        if [*left] == ["present"] and said and all(absent.get(each.value, ...) == each.wanted for each in said):
            left = {}
        implied = [_implied(name, wanted) for name, wanted in left.items()]
        for key, flag in self.check.asks.items():
            if key in self.said and flag not in self.said:
                implied.append(Expectation(flag, True))
        gone = any(each.value == "present" and each.wanted is False for each in said)
        found = tuple(each for each in (*implied, *said) if not gone or each.value == "present")
        if not found and not self.wrong and "same" not in self.said:
            values = ", ".join(self.check.values)
            self._fault("check", f"the rule {self.rule} asks for nothing", f"write one of {values}")
        return found

    def _expectation(self, name: str, value: Value) -> Expectation:
        said = self.said[name].value
        if value.worse is Worse.NEITHER:
            return Expectation(name, self._read(name, value.measure))
        if ".." in (said if isinstance(said, str) else "".join(said)):
            return self._ranges(name, value, (said,) if isinstance(said, str) else said)
        if isinstance(said, str):
            return Expectation(name, critical=self._number(name, value, said))
        if len(said) != 2:
            self._fault(name, f"{name!r} has {len(said)} limits", "write [warning, critical], or one limit")
            return Expectation(name)
        warning, critical = (self._number(name, value, each) for each in said)
        if warning is not None and critical is not None and (warning > critical) is (value.worse is Worse.HIGH):
            order = "first the lower" if value.worse is Worse.HIGH else "first the higher"
            self._fault(name, f"{name!r} is critical before it warns", f"write {order} limit")
        return Expectation(name, warning=warning, critical=critical)

    def _ranges(self, name: str, value: Value, said: tuple[str, ...]) -> Expectation:
        """Parse `2..8`, `2..` or `..8`: the critical range, or [warning, critical]."""
        if len(said) > 2:
            self._fault(name, f"{name!r} has {len(said)} ranges", "write [warning, critical], or one range")
            return Expectation(name)
        critical = self._range(name, value, said[-1])
        warning = self._range(name, value, said[0]) if len(said) > 1 else None
        ends = [end for end in warning or () if end is not None]
        if critical is not None and not all(is_within(end, critical) for end in ends):
            todo = "write first the range that lies within the other"
            self._fault(name, f"{name!r} is critical before it warns", todo)
        return Expectation(name, ranges=(warning, critical))

    def _range(self, name: str, value: Value, text: str) -> Range | None:
        low, dots, high = text.partition("..")
        if not dots or not (low or high):
            self._fault(name, f"{name!r} is {text!r}", "write a range such as 2..8, 2.. or ..8")
            return None
        ends = self._end(name, value, low), self._end(name, value, high)
        if ends[0] is not None and ends[1] is not None and ends[0] > ends[1]:
            self._fault(name, f"{name!r} is {text!r}, which nothing is within", "write first the lower end")
        return ends

    def _end(self, name: str, value: Value, text: str) -> float | None:
        return self._number(name, value, text) if text else None

    def _number(self, name: str, value: Value, text: str) -> float | None:
        found = self._read(name, value.measure, text)
        return float(found) if isinstance(found, int | float) else None

    def severity(self) -> int:
        word = _text(self.said, "severity") or "critical"
        if word not in ("warning", "critical"):
            self._fault("severity", f"'severity' is {word!r}", "write warning or critical")
        return 3 if word == "warning" else 4

    def seconds(self, key: str) -> float:
        found = self._read(key, Measure.SECONDS) if key in self.said else 0.0
        return float(found) if isinstance(found, int | float) else 0.0

    def often(self) -> tuple[int, int]:
        """Parse `3 of 5`: the number of failures, and of checks, before the rule fails."""
        if "often" not in self.said:
            return 1, 1
        text = _text(self.said, "often")
        found = _OFTEN.fullmatch(text)
        if found is None or not 1 <= int(found[1]) <= int(found[2]):
            self._fault("often", f"'often' is {text!r}", "write such as '3 of 5', of at most 99 looks")
            return 1, 1
        return int(found[1]), int(found[2])

    def same(self) -> tuple[str, ...]:
        """Return the values that must equal those of most peers."""
        names = _texts(self.said, "same")
        for name in names:
            if name not in self.check.values:
                todo = f"{did_you_mean(name, self.check.values)}it shows {', '.join(self.check.values)}"
                self._fault("same", f"the check {self.said['check'].value} shows no {name!r}", todo)
        return names

    def remedy(self) -> tuple[str, ...]:
        """Return the verb and its arguments."""
        words = _texts(self.said, "remedy")
        enough = len(words) == 2 if words and words[0] in ("restart", "reload") else len(words) > 1
        if "remedy" in self.said and (words[:1] not in (("restart",), ("reload",), ("run",)) or not enough):
            todo = "write [restart, SERVICE], [reload, SERVICE] or [run, PROGRAM, ARGUMENT, ...]"
            self._fault("remedy", f"'remedy' is {' '.join(words)!r}", todo)
        return words

    def clear(self) -> float | None:
        """Return the clear limit of the one value that has limits."""
        if "clear" not in self.said:
            return None
        limited = [name for name, value in self.check.values.items() if name in self.said and value.worse]
        if len(limited) != 1:
            self._fault("clear", "'clear' is the limit of one value", "give exactly one value limits")
            return None
        return self._number("clear", self.check.values[limited[0]], _text(self.said, "clear"))


def _implied(name: str, wanted: object) -> Expectation:
    if isinstance(wanted, tuple):
        return Expectation(name, warning=wanted[0], critical=wanted[1])
    return Expectation(name, wanted)


def _in_order(rules: Mapping[str, Rule], tell: Tell) -> tuple[Rule, ...]:
    """Return the rules so that each comes after the rules that it needs.

    Reports a cycle of needs, and ignores the needs of its first rule.
    """
    needs = {name: [each for each in rule.needs if each in rules] for name, rule in rules.items()}
    while True:
        try:
            return tuple(rules[name] for name in TopologicalSorter(needs).static_order())
        except CycleError as error:
            circle = list(reversed(error.args[1]))  # graphlib lists each rule before the one that needs it
            first = rules[circle[0]]
            place = first.where.get("needs", first.origin)
            tell(place, f"the rule {first.id} needs itself: {' → '.join(circle)}", "take one of them out")
            needs[first.id] = []


def is_id(text: str) -> bool:
    return _ID.fullmatch(text) is not None
