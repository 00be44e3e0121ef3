"""Detectors of failure in one world: our own state machine, and how others do it."""

import math
import random
from collections.abc import Callable, Iterator

from multiall_cli.domain.topology import Evidence, ProbeLevel, State
from multiall_cli.planning.liveness import Liveness, Profile
from tests.worlds.world import Score, Tally, World

ADMIN = -1
TIMEOUT = 1.0  # seconds of one probe
ASKED = 3  # brothers


class Probes:
    """The admin's probes of a world, one second after the other, and who is due when."""

    def __init__(self, world: World, every: float) -> None:
        self.world = world
        self.luck = random.Random(f"probes {world.name} {world.seed}")
        self.sent = 0
        self._due: dict[int, list[int]] = {}
        for server in range(world.servers):
            self.plan(server, self.luck.uniform(0, every))

    def plan(self, server: int, t: float) -> None:
        self._due.setdefault(math.ceil(t), []).append(server)

    def seconds(self) -> Iterator[tuple[float, list[int]]]:
        """Each second with the servers that are due in it; while the admin stands still, none are."""
        for second in range(int(self.world.seconds)):
            t = float(second)
            due = self._due.pop(second, [])
            goes_on = self.world.stalled(t)
            if goes_on > t:
                for server in due:
                    self.plan(server, goes_on)
                continue
            yield t, due

    def probe(self, server: int, t: float) -> tuple[bool, float]:
        """Whether it was answered, and by how much the admin was late to see that it was not, in seconds."""
        self.sent += 1
        lag = self.world.stalled(t + TIMEOUT) - (t + TIMEOUT)
        answered = not self.world.cut_off(t) and self.world.answers(ADMIN, server, t, self.luck)
        return answered and lag <= 0, lag


def strikes(world: World, every: float, name: str, again: float | None = None, most: int = 3) -> Score:
    """So many failures in a row are DOWN; `again`: seconds until the next try once one failed."""
    probes, tally = Probes(world, every), Tally(world)
    failed = [0] * world.servers
    for t, due in probes.seconds():
        for server in due:
            answered, _ = probes.probe(server, t)
            failed[server] = 0 if answered else failed[server] + 1
            if failed[server] == most:
                tally.down(server, t + TIMEOUT)
            soon = 0 < failed[server] < most and again is not None
            probes.plan(server, t + (again if soon and again is not None else every))
    return tally.score(name, probes.sent)


def icinga(world: World) -> Score:
    """Checks each minute, retries after 30 s, three attempts: what its documentation proposes."""
    return strikes(world, 60.0, "Icinga 60/30 x 3", again=30.0)


def ours(world: World, profile: Profile, name: str) -> Score:
    """The state machine that runs in production, asked by the same clock."""
    probes, tally = Probes(world, profile.every), Tally(world)
    names = [f"s{server}" for server in range(world.servers)]
    domain = world.domain
    machine = Liveness("adm", {names[server]: domain[server] for server in range(world.servers)}, profile)
    messages = asked = 0
    for t, due in probes.seconds():
        for server in due:
            answered, lag = probes.probe(server, t)
            rung = ProbeLevel.AUTH if answered else ProbeLevel.TIMEOUT
            machine.observe(Evidence("adm", names[server], rung, t, lag=max(lag, 0.0)), t)
        asked += _ask_brothers(machine, world, probes.luck, t)
        for event in machine.tick(t):
            if event.after == State.DOWN:
                tally.down(int(event.server[1:]), t)
            messages += event.rule == "isolation"
        for server in due:
            probes.plan(server, max(t + 1, machine.due(names[server], t)))
    return tally.score(name, probes.sent + asked, messages)


def _ask_brothers(machine: Liveness, world: World, luck: random.Random, t: float) -> int:
    """Three others about each suspect, if the admin can reach them and they speak."""
    if world.cut_off(t):
        return 0
    asked = 0
    for name in machine.suspects():
        target = int(name[1:])
        for observer in luck.sample(range(world.servers), min(ASKED, world.servers)):
            heard = observer != target and world.answers(ADMIN, observer, t, luck)
            if heard and machine.held(f"s{observer}").state is State.UP:
                asked += 1
                rung = ProbeLevel.TCP if world.answers(observer, target, t, luck) else ProbeLevel.TIMEOUT
                machine.observe(Evidence(f"s{observer}", name, rung, t), t)
    return asked


def swim(world: World) -> Score:
    """SWIM with Lifeguard's suspicion, as the papers have it, seen from the admin's side of any partition.

    Each member probes another each second: directly, through three others, and by TCP; so a server is probed about
    once a second, and loss alone does not matter. A suspicion lasts log10(n) x 4 s to six times that, the less the
    more members confirm it (Dadgar, Phillips, Currey: "Lifeguard", 2018, section IV-B; K = 3). Whoever speaks before
    its end refutes it.
    """
    luck = random.Random(f"swim {world.name} {world.seed}")
    tally = Tally(world)
    least = max(1.0, math.log10(max(world.servers, 2))) * 4.0
    for server in range(world.servers):
        for begins, ends in _silences(world, server):
            declared = _declared(begins, least, luck.expovariate)
            if declared < ends:
                tally.down(server, declared)
    return tally.score("SWIM + Lifeguard", int(world.servers * world.seconds))


def _silences(world: World, server: int) -> list[tuple[float, float]]:
    crash = world.crashes.get(server, float("inf"))
    found = [(begins, min(ends, float("inf"))) for begins, ends in world.pauses.get(server, ()) if begins < crash]
    (begins, ends), inside = world.partition
    if server in inside and ends > begins:
        found.append((begins, ends))
    return [*found, (crash, float("inf"))] if crash < float("inf") else found


def _declared(begins: float, least: float, wait: Callable[[float], float]) -> float:
    """When a silence that begins then is held to be death."""
    most, enough = 6 * least, 3
    suspected = begins + wait(1.0) + 1.0  # the next probe, and the period in which others try too
    t, confirmed = suspected, 0
    while True:
        timeout = max(least, most - (most - least) * math.log(confirmed + 1) / math.log(enough + 1))
        following = t + wait(1.0) + 1.0
        if confirmed >= enough or suspected + timeout <= following:
            return suspected + timeout
        t, confirmed = following, confirmed + 1
