"""Failure detector: a pure state machine that turns evidence and the time into events.

`observe` only stores evidence; `tick` makes all decisions, from the evidence at that time. So the order of testimonies
of one moment never matters. This module uses no clock, socket or store.

The rules, by the names in events:

- *lag*: a sample is ignored if the prober itself was late.
- *first failure*: a server that was up and does not answer is suspect; its window opens and peers are asked.
- *answered*: a suspect that shows life is up again at once.
- *window*: a suspect is down once its window has passed *and* enough observers deny it. It is unreachable if one of our
  peers reaches it, partitioned if only other observers do.
- *powered*: a server that shows life is never down, whatever else is wrong with it; it is degraded.
- *isolation*: a vantage that lost much of what it saw suspects itself, and decides nothing.
- *recovery*: a server that was down is up after several good rounds over some time, one of them with a login. Each flap
  raises the number.
- *group*: if all servers with one label went down, one event reports it, and each server names it as its cause.
"""

import math
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from dataclasses import field, replace

from multiall_cli.domain.dataclass import dataclass
from multiall_cli.domain.topology import REST, Event, Evidence, ProbeLevel, State, Verdict

LAG = 0.1  # seconds that a prober may be late before its sample is discarded
SILENCES = 50  # suspicions that ended well, saved to learn a server's own window
OTHERS = 8  # other observers whose testimony about a silent server is stored, or twice `denials` if that is more
NO_ONE = "no brother can be asked about it (with `confirmations: 0` our own word would be enough)"
SILENT = (State.SUSPECT, State.UNREACHABLE, State.PARTITIONED)


@dataclass(frozen=True, slots=True)
class Profile:
    """Patience of the failure detector; times in seconds.

    - `every`: between two probes of a server; `again`: between two probes of a suspect.
    - `window`: minimum length of a suspicion; `longest`: its maximum.
    - `denials`: other observers that must deny a server before it is down (fewer if fewer exist).
    - `rounds`, `over`: good rounds of a recovery, and their minimum duration.
    - `share`, `span`: share of first probes that must fail within `span` before the vantage suspects itself.
    - `quorum`: share of the servers last up that the vantage must reach.
    """

    every: float = 2.0
    again: float = 1.0
    window: float = 22.25
    longest: float = 60.0
    denials: int = 3
    rounds: int = 3
    over: float = 10.0
    share: float = 0.25
    span: float = 20.0
    quorum: float = 0.5
    half_life: float = 900.0
    flaps: float = 2.5
    calm: float = 1.0

    @property
    def bound(self) -> float:
        """Seconds within which a loss is detected, if servers are probed this often."""
        return self.every + self.window


NORMAL = Profile()
FAST = Profile(every=0.5, again=0.5, window=3.0)


@dataclass(slots=True)
class SavedServer:
    """Saved state of a server between two runs; plain values only.

    `heard`: time of its newest sample; `depth`: the rung where its trouble was found, which only a higher rung can
    refute.
    """

    state: State = State.UNKNOWN
    since: float = 0.0
    reason: str = ""
    rule: str = ""
    cause: str = ""
    seen: float = 0.0
    heard: float = 0.0
    suspected: float = 0.0
    depth: int = -1
    good: int = 0
    good_since: float = 0.0
    login: bool = False
    penalty: float = 0.0
    penalty_at: float = 0.0
    flapping: bool = False
    silences: tuple[float, ...] = ()


@dataclass(slots=True)
class LivenessState:
    """Saved state of a failure detector between two runs.

    `frozen`: why nothing is decided, since `frozen_at`; `answered`: the sentinels that have ever answered; `mute`: the
    servers that cannot be asked about others.
    """

    servers: dict[str, SavedServer] = field(default_factory=dict)
    frozen: str = ""
    frozen_at: float = 0.0
    answered: set[str] = field(default_factory=set)
    mute: set[str] = field(default_factory=set)


class Liveness:
    """State of each server, as one vantage sees it.

    `domains`: server → failure domain; `labels`: server → the labels (`site=b`) that it shares with others; `memory`:
    saved state of an earlier run.
    """

    def __init__(
        self,
        vantage: str,
        domains: Mapping[str, str],
        profile: Profile = NORMAL,
        *,
        labels: Mapping[str, Iterable[str]] | None = None,
        memory: LivenessState | None = None,
    ) -> None:
        kept = memory or LivenessState()
        self.vantage = vantage
        self.profile = profile
        self.frozen = kept.frozen
        self._frozen_at = kept.frozen_at
        self._answered = set(kept.answered)
        self._mute = kept.mute & domains.keys()
        self._domains = domains
        self._labels = {name: tuple(each) for name, each in (labels or {}).items()}
        self._of = {name: kept.servers.get(name) or SavedServer() for name in domains}
        self._own: dict[str, Evidence] = {}
        self._told: dict[str, dict[str, Evidence]] = {}  # testimonies of others: target → observer → the newest
        self._fresh: set[str] = set()
        self._restless = {name for name, one in self._of.items() if one.state not in REST}
        self._unseen = {name for name, one in self._of.items() if one.state is State.UNKNOWN}
        self._firsts: OrderedDict[str, tuple[float, bool]] = OrderedDict()  # the oldest first
        self._sentinels: dict[str, bool] = {}
        self._away = {name for name, one in self._of.items() if one.state in SILENT and one.seen}
        self._there = sum(1 for one in self._of.values() if one.state in REST)
        self._up = sum(1 for one in self._of.values() if one.state is State.UP)

    # --- input ------------------------------------------------------------------------------------------------

    def observe(self, evidence: Evidence, t: float) -> None:
        """Store a testimony. Ignores samples of a late prober and of unknown servers."""
        if evidence.lag > LAG or evidence.target not in self._of:
            return
        if evidence.observer == self.vantage:
            if _is_newer(evidence, self._own.get(evidence.target)):
                self._own[evidence.target] = evidence
                self._fresh.add(evidence.target)
            return
        told = self._told.setdefault(evidence.target, {})
        if _is_newer(evidence, told.get(evidence.observer)):
            told[evidence.observer] = evidence
            self._bound(evidence.target, told)

    def _bound(self, name: str, told: dict[str, Evidence]) -> None:
        """Limit the testimonies about a silent server, since many peers may be asked about it for long.

        The best ones stay: those since the silence began come before all older ones, which say nothing about it.
        """
        if self._of[name].state in REST or len(told) <= max(OTHERS, 2 * self.profile.denials):
            return
        began = self._of[name].suspected

        def worth(who: str) -> tuple[bool, bool, float, ProbeLevel, str]:
            each = told[who]
            return each.at >= began, each.rung.shows_life, each.at, each.rung, who

        del told[min(told, key=worth)]

    def sentinel(self, name: str, *, answers: bool) -> None:
        """Record whether a sentinel answers: a gateway or name server that is up as long as our own network is.

        A sentinel that has never answered proves nothing by its silence.
        """
        if answers:
            self._answered.add(name)
        if name in self._answered:
            self._sentinels[name] = answers

    def asked(self, name: str, *, speaks: bool) -> None:
        """Record whether a server can be asked about others.

        A mute server denies nothing, and no verdict waits for its word.
        """
        (self._mute.discard if speaks else self._mute.add)(name)

    def pass_over(self, names: Iterable[str]) -> None:
        """Exclude servers that cannot be probed now: no verdict waits for a first sample of them."""
        self._unseen.difference_update(names)

    # --- output -----------------------------------------------------------------------------------------------

    def tick(self, t: float, *, judge: bool = True) -> list[Event]:
        """Decide from the current evidence, and return the changes in the order of server names.

        `judge`: whether silences may end in a verdict; False while asked peers are still answering.
        """
        events: list[Event] = []
        fresh, self._fresh = self._fresh, set()
        for name in sorted(fresh):
            events += self._hear(name, t)
        events += self._guard(t)
        if judge and not self.frozen and not self._unseen:
            events += self._blame(self._expire(t))
        return events

    def suspects(self) -> list[str]:
        """Return the servers that more observers should be asked about, by name."""
        return sorted(name for name in self._restless if self._of[name].state in SILENT)

    def due(self, name: str, t: float) -> float:
        """Return when to probe a server next: `t` or earlier means at once."""
        own = self._own.get(name)
        if own is None:
            return t
        patient = self._of[name].state in REST or self.frozen  # a vantage that is cut off need not hurry
        return own.at + (self.profile.every if patient else self.profile.again)

    def verdict(self, name: str) -> Verdict:
        one = self._of[name]
        own = [self._own[name]] if name in self._own else []
        told = [*own, *self._told.get(name, {}).values()]
        evidence = tuple(sorted(told, key=lambda each: (-each.rung, -each.at, each.observer)))
        return Verdict(name, one.state, one.since, one.reason, one.rule, one.cause, one.flapping, one.seen, evidence)

    def verdicts(self) -> dict[str, Verdict]:
        return {name: self.verdict(name) for name in self._of}

    def held(self, name: str) -> SavedServer:
        """Return the current state of a server."""
        return self._of[name]

    def memory(self) -> LivenessState:
        """Return the state to save for the next run."""
        return LivenessState(self._of, self.frozen, self._frozen_at, self._answered, self._mute)

    def window_of(self, name: str) -> float:
        """Return the seconds that this server may be silent: learned, within limits, from silences that ended well."""
        silences = sorted(self._of[name].silences)
        if not silences:
            return self.profile.window
        longest = silences[math.ceil(0.99 * len(silences)) - 1]
        return max(self.profile.window, min(1.5 * longest, self.profile.longest))

    # --- one server -------------------------------------------------------------------------------------------

    def _hear(self, name: str, t: float) -> list[Event]:
        """Apply the vantage's own newest sample of a server. Testimony of others only counts in `_expire`."""
        own = self._own.get(name)
        one = self._of[name]
        if own is None or own.at <= one.heard:
            return []
        one.heard = own.at
        self._note_first(name, one, own, t)
        if own.rung.shows_life:
            return self._alive(name, one, own, t)
        one.good, one.login = 0, False
        self._unseen.discard(name)
        if one.state in (*REST, State.UNKNOWN):
            one.suspected = own.at
            return [self._become(name, State.SUSPECT, "first failure", own.rung.word, t)]
        return []

    def _alive(self, name: str, one: SavedServer, own: Evidence, t: float) -> list[Event]:
        self._unseen.discard(name)
        one.seen = max(one.seen, own.at)
        state, reason = _health(own)
        if one.state is State.DOWN:
            return self._recover(name, one, own, t)
        if one.state is State.SUSPECT and one.suspected and not self.frozen:  # else the silence was ours
            one.silences = (*one.silences, max(0.0, own.at - one.suspected))[-SILENCES:]
        one.suspected = 0.0
        if one.state is State.DEGRADED and state is State.UP and own.rung <= one.depth:
            return []  # the probe did not get as far as the trouble
        met, one.depth = one.depth, -1 if state is State.UP else int(own.rung)
        if one.state is state and (one.reason == reason or one.depth == met):
            one.reason = reason  # the same trouble in other words is no change
            return []
        rule = "answered" if state is State.UP else "powered"
        return [self._become(name, state, rule, reason, t)]

    def _recover(self, name: str, one: SavedServer, own: Evidence, t: float) -> list[Event]:
        """Count good rounds. A login proves that more than a kernel answers."""
        state, reason = _health(own)
        if state is not State.UP:
            one.good, one.login, one.depth = 0, False, int(own.rung)
            return [self._become(name, state, "powered", reason, t)]
        if one.good == 0:
            one.good_since = own.at
        one.good += 1
        one.login = one.login or own.rung is ProbeLevel.AUTH
        harder = 2 ** min(int(self._penalty(one, t)), 4) if one.flapping else 1
        enough = one.good >= self.profile.rounds * harder and own.at - one.good_since >= self.profile.over * harder
        if not (enough and one.login):
            return []
        one.suspected = 0.0
        return [self._become(name, State.UP, "recovery", "", t)]

    def _become(self, name: str, state: State, rule: str, reason: str, t: float, cause: str = "") -> Event:
        one = self._of[name]
        before, evidence = one.state, self.verdict(name).evidence
        self._there += (state in REST) - (before in REST)
        self._up += (state is State.UP) - (before is State.UP)
        if State.DOWN in (before, state) and before is not State.UNKNOWN:
            one.penalty, one.penalty_at = self._penalty(one, t) + 1, t
            one.flapping = one.flapping or one.penalty >= self.profile.flaps
        elif one.flapping and self._penalty(one, t) < self.profile.calm:
            one.flapping = False
        if before is not state:
            one.since = t
        one.state, one.rule, one.reason, one.cause = state, rule, reason, cause
        one.good = 0
        (self._restless.discard if state in REST else self._restless.add)(name)
        if state in REST and before not in REST:  # testimony about the silence ends with the silence
            told, own = self._told.pop(name, {}), self._own.get(name)
            recent = {who: each for who, each in told.items() if own is None or each.at >= own.at}
            if recent:
                self._told[name] = recent
        (self._away.add if state in SILENT and one.seen else self._away.discard)(name)
        words = f"{name} is {state}" + (f" ({reason})" if reason else "")
        return Event(t, name, before.value, state.value, rule, words, cause, evidence)

    def _penalty(self, one: SavedServer, t: float) -> float:
        """Return the flap count, in which each flap loses half its weight per `half_life`."""
        return one.penalty * math.exp2(-max(0.0, t - one.penalty_at) / self.profile.half_life)

    # --- the vantage itself -----------------------------------------------------------------------------------

    def _note_first(self, name: str, one: SavedServer, own: Evidence, t: float) -> None:
        if one.state in REST:
            self._firsts[name] = (own.at, own.rung.shows_life)
            self._firsts.move_to_end(name)

    def _guard(self, t: float) -> list[Event]:
        why = self._isolated(t)
        before, self.frozen = self.frozen, why
        if bool(why) == bool(before):
            return []
        self._frozen_at = t
        if why:
            return [Event(t, "", "free", "frozen", "isolation", f"nothing is decided: {why}")]
        for name in self._restless:  # their silence may have been ours, so it starts again
            if self._of[name].state is State.SUSPECT:
                self._of[name].suspected = t
        self._firsts.clear()
        return [Event(t, "", "frozen", "free", "isolation", "the vantage has its network back")]

    def _isolated(self, t: float) -> str:
        """Return why the vantage suspects itself, or ''."""
        gone = sorted(name for name, answers in self._sentinels.items() if not answers)
        if gone and len(gone) == len(self._sentinels):
            return f"{', '.join(gone)} cannot be reached from here"
        held = self._there + len(self._away)
        if len(self._away) > (1 - self.profile.quorum) * held:
            return f"only {self._there} of {held} servers that were up can be reached"
        return self._much_at_once(t, held)

    def _much_at_once(self, t: float, held: int) -> str:
        """Return why the vantage suspects itself, or ''.

        It does if many first probes failed within a short time, in several failure domains. The vantage stays frozen
        until enough servers are back, at most for the time that peers need to answer: if peers that we reach deny those
        servers too, the fault is not ours. Without `denials`, our own word never ends the freeze.
        """
        many = len(self._away) > self.profile.share * held
        if self.frozen:
            patient = t - self._frozen_at < self.profile.longest or not self.profile.denials
            return self.frozen if many and patient else ""
        self._forget_firsts(t - self.profile.span)
        failed = [name for name in self._away if not self._firsts.get(name, (t, True))[1]]
        places = {self._domains[name] for name in failed}
        if len(failed) > self.profile.share * len(self._firsts) and len(places) >= 2:
            return f"{len(failed)} of {len(self._firsts)} probes failed at once, in {len(places)} failure domains"
        return ""

    def _forget_firsts(self, before: float) -> None:
        while self._firsts and next(iter(self._firsts.values()))[0] < before:
            self._firsts.popitem(last=False)

    # --- end of a suspicion -----------------------------------------------------------------------------------

    def _expire(self, t: float) -> list[Event]:
        events = []
        for name in sorted(self._restless):
            one = self._of[name]
            if one.state in SILENT and one.suspected:
                after, rule, reason = self._judge(name, one, t)
                if after is not one.state:
                    events.append(self._become(name, after, rule, reason, t))
                one.reason = reason
        return events

    def _judge(self, name: str, one: SavedServer, t: float) -> tuple[State, str, str]:
        """Return the state, rule and reason of a silent server."""
        recent = self._testimony(name, one)
        living = sorted(each.observer for each in recent if each.rung.shows_life)
        ours = [each for each in living if each in self._of]
        if ours and one.heard > one.suspected:  # a probe of ours has failed since: not just one lost packet
            return State.UNREACHABLE, "window", f"{self.vantage} does not reach it, and {len(ours)} of its brothers do"
        if ours:
            return one.state, one.rule, one.reason
        if living:
            return State.PARTITIONED, "window", f"only {living[0]} reaches it, whom we do not"
        window = self.window_of(name)
        if t - one.suspected < window:
            return one.state, one.rule, one.reason
        denying = {each.observer for each in recent if not each.rung.shows_life}
        wanted = min(self.profile.denials, max(1, self._could_be_asked(name)))
        if self.profile.denials and len(denying) < wanted:
            waits = f"{len(denying)} of {wanted} brothers deny it" if self._could_be_asked(name) else NO_ONE
            return one.state, one.rule, f"silent for {t - one.suspected:.0f} s, but {waits}"
        words = f"silent for {t - one.suspected:.0f} s"
        if denying:
            words += f"; denied by {', '.join(sorted(denying)[:5])}"
        return State.DOWN, "window", words

    def _testimony(self, name: str, one: SavedServer) -> list[Evidence]:
        """Return what others reported since the silence began, without stale reports and reports of absent peers."""
        told, own = self._told.get(name, {}).values(), self._own.get(name)
        newest = max((each.at for each in told), default=0.0)
        oldest = max(one.suspected, max(newest, own.at if own else 0.0) - self.profile.longest)
        others = [each for each in told if each.at >= oldest]
        return [each for each in others if each.observer not in self._of or self._of[each.observer].state in REST]

    def _could_be_asked(self, name: str) -> int:
        """Return the number of peers that are up and not mute: only those are asked."""
        mute = sum(1 for each in self._mute if each != name and self._of[each].state is State.UP)
        return self._up - (self._of[name].state is State.UP) - mute

    def _blame(self, events: list[Event]) -> list[Event]:
        """Add one event for each label whose servers are now all down, and set it as their cause."""
        went = {event.server for event in events if event.after == State.DOWN}
        if not went:
            return events
        causes: dict[str, str] = {}
        told = []
        for label in sorted({label for name in went for label in self._labels.get(name, ())}):
            group = {name for name, labels in self._labels.items() if label in labels}
            lost = {name for name in group if self._of[name].state is State.DOWN}
            if len(group) > 1 and lost == group and not went.isdisjoint(group - causes.keys()):
                causes |= {name: label for name in group if name not in causes}
                at = events[0].at
                told.append(Event(at, "", "there", "lost", "group", _lost(label, len(group)), label))
        for name, cause in causes.items():
            self._of[name].cause = cause
        return told + [replace(event, cause=causes.get(event.server, "")) for event in events]


def _lost(label: str, count: int) -> str:
    """Describe a lost group: a server with its dependents, or all servers with a label."""
    key, _, value = label.partition("=")
    if key != "on":
        return f"{label} is lost ({count} servers)"
    return f"{value} is lost, with {'a server that hangs' if count == 2 else f'{count - 1} servers that hang'} on it"


def _is_newer(evidence: Evidence, before: Evidence | None) -> bool:
    """Return whether evidence is newer than `before`. Of one moment, the higher rung wins."""
    return before is None or (before.at, before.rung, before.trouble) < (evidence.at, evidence.rung, evidence.trouble)


def _health(own: Evidence) -> tuple[State, str]:
    """Return the state and reason of a server that shows life."""
    if own.trouble:
        return State.DEGRADED, own.trouble
    if own.rung is ProbeLevel.REFUSED:
        return State.DEGRADED, "its sshd refuses connections"
    if own.rung is ProbeLevel.ICMP:
        return State.DEGRADED, "it answers pings only"
    return State.UP, ""
