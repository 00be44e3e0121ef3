"""SBM: reads what the rules of servers ask for, one call each, and says how each stands."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from multiall_cli.domain.baseline import Checked, Code, Reading, Rule, Status, worst
from multiall_cli.domain.errors import MultiAllError, Unreachable
from multiall_cli.domain.inventory import Server
from multiall_cli.domain.run import Step
from multiall_cli.engine.fanout import fan_out
from multiall_cli.engine.world import World
from multiall_cli.planning.evaluate import MOST, Held, evaluate
from multiall_cli.ports import Cache, Session

WITHIN = 5.0  # seconds that the reading of one subject may take
_CODES = {
    "timeout": Code.TIMEOUT,
    "rights": Code.NO_PRIVILEGE,
    "unsupported": Code.UNSUPPORTED,
    "collect": Code.COLLECT_ERROR,
}
Refine = Callable[[str, Mapping[str, object]], Mapping[str, object]]
"""check, what a member told → its values: what is better known here than there (certificates)."""


@dataclass(frozen=True, slots=True)
class Duty:
    """What is to be looked at on one server. `maintenance`: why its failures are not to be told."""

    server: Server
    rules: tuple[Rule, ...]
    maintenance: str = ""


def check(world: World, duties: Sequence[Duty], refine: Refine) -> Iterator[Checked]:
    """How each server stands, as they answer; what is held of them is remembered."""
    by_name = {duty.server.name: duty for duty in duties}
    held = {name: recall(world.store, name) for name in by_name}
    servers = [duty.server for duty in duties]
    looked = fan_out(servers, lambda each: _read(world, by_name[each.name], refine), world.parallel, world.stop)
    for server, result in looked:
        world.watch(Step("checked", server.name))
        duty, now = by_name[server.name], world.clock.now()
        if isinstance(result, MultiAllError):
            yield _frozen(duty, result, held[server.name], now)
            continue
        statuses, after = evaluate(server.name, duty.rules, result, held[server.name], now, duty.maintenance)
        world.store.keep(_key(server.name), _packed(after))
        yield Checked(server.name, worst([each.code for each in statuses]), now, statuses)


def _frozen(duty: Duty, fault: MultiAllError, held: Mapping[str, Held], now: float) -> Checked:
    """Who cannot be asked is as it was, and not known to be well."""
    statuses = tuple(
        Status(duty.server.name, rule.id, held[rule.id].code, held[rule.id].since, "as it was", title=rule.title)
        for rule in duty.rules
        if rule.id in held
    )
    away = isinstance(fault, Unreachable)
    code = Code.MAINTENANCE if duty.maintenance and away else Code.UNREACHABLE if away else Code.COLLECT_ERROR
    return Checked(duty.server.name, code, now, statuses, fault.what)


def _read(world: World, duty: Duty, refine: Refine) -> dict[tuple[str, str], Reading]:
    if duty.server.name in world.away:
        raise world.away[duty.server.name]
    facts = {rule.fact: rule for rule in duty.rules}
    if not facts:
        return {}
    session = world.transport.open(duty.server)
    try:
        return _asked(session, facts, world, refine)
    finally:
        session.close()


def _asked(
    session: Session, facts: Mapping[tuple[str, str], Rule], world: World, refine: Refine
) -> dict[tuple[str, str], Reading]:
    """One call for all of them."""
    wanted = [[rule.check, dict(rule.subject), None] for rule in facts.values()]
    ends = WITHIN * (len(wanted) + 2)
    began = world.clock.now()
    told = session.call("gauge", timeout=WITHIN + ends, ends=ends, wanted=wanted, within=WITHIN).value().get("read")
    ended = world.clock.now()
    answers = told if isinstance(told, list) else []
    found = {}
    for at, (fact, rule) in enumerate(facts.items()):
        found[fact] = _reading(rule, answers[at] if at < len(answers) else None, (began, ended), refine)
    return found


def _reading(rule: Rule, told: object, during: tuple[float, float], refine: Refine) -> Reading:
    """What a member said of one subject, held against sense: it may be hostile."""
    if not isinstance(told, dict):
        return Reading(trouble="the member told nothing of it", code=Code.BAD_OUTPUT)
    if "trouble" in told:
        code = _CODES.get(str(told.get("kind")), Code.COLLECT_ERROR)
        return Reading(trouble=str(told["trouble"])[:500], code=code)
    values = told.get("values")
    if not isinstance(values, dict):
        return Reading(trouble="what the member told of it makes no sense", code=Code.BAD_OUTPUT)
    if rule.check == "clock":
        return Reading(_offset(values.get("now"), during))
    try:
        return Reading(refine(rule.check, {str(key): value for key, value in values.items()}))
    except ValueError as fault:
        return Reading(trouble=str(fault)[:500], code=Code.BAD_OUTPUT)


def _offset(now: object, during: tuple[float, float]) -> dict[str, object]:
    """By how much its clock is surely wrong: it told its time at some moment of the call."""
    if isinstance(now, bool) or not isinstance(now, int | float) or not 0 <= now <= MOST:
        return {}
    began, ended = during
    return {"offset": max(0.0, began - now, now - ended)}


def _key(server: str) -> str:
    return f"baseline:{server}"


def _packed(held: Mapping[str, Held]) -> bytes:
    return json.dumps({rule: [each.code, each.since, each.failing] for rule, each in held.items()}).encode("ascii")


def recall(cache: Cache, server: str) -> dict[str, Held]:
    """What was held of a server's rules when it was last looked at."""
    try:
        told = json.loads(cache.cached(_key(server)) or b"{}")
        return {rule: Held(Code(code), float(since), float(failing)) for rule, (code, since, failing) in told.items()}
    except (ValueError, TypeError, AttributeError):
        return {}
