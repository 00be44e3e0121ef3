"""Health of real hosts: readings, privileges, and what never counts as healthy."""

import json
from pathlib import Path

from tests.lab.ground import Ground

PACK = """\
rules:
  sshd: {check: port, port: 22}
  process: {check: process, name: sshd, count: 1}
  path: {check: mount, path: /, type: overlay}
  way: {check: route, to: 198.18.0.0/16}
  eth0: {check: interface, name: eth0, state: up}
  shadow: {check: file, path: /etc/shadow, match: '^root:'}
  nobody: {check: tcp, address: 198.18.0.200, port: 22}
  closed: {check: tcp, address: 127.0.0.1, port: 9}
  web: {check: http, url: 'http://127.0.0.1:9/', needs: [closed]}
"""


def health(ground: Ground, *words: str) -> tuple[int, dict[str, dict[str, int]]]:
    """Return the exit code, and host → rule → code."""
    done = ground.cli("baseline", "check", "--json", *words)
    told = json.loads(done.stdout)["servers"]
    return done.returncode, {
        each["server"]: {status["rule"]: status["code"] for status in each["statuses"]} for each in told
    }


def written(ground: Ground, servers: dict[str, dict[str, object]] | None = None) -> None:
    ground.write(servers)
    (ground.root / "rules").mkdir(exist_ok=True)
    (ground.root / "rules" / "lab.yaml").write_text(PACK)
    path: Path = ground.root / "inventory" / "all.yaml"
    told = json.loads(path.read_text())
    told["pools"]["web"] = {"members": told["pools"]["web"]["members"], "baseline": ["lab"]}
    path.write_text(json.dumps(told))


WELL = {"sshd": 200, "process": 200, "path": 200, "way": 200, "eth0": 200, "shadow": 200}
UNWELL = {"nobody": 401, "closed": 401, "web": 106}
"""A port without an answer fails, whether it refuses or is silent; consequences are muted."""


def test_all_is_read_on_every_host(ground: Ground) -> None:
    written(ground)
    code, found = health(ground)
    assert code == 10
    assert found == dict.fromkeys(ground.lab.names, WELL | UNWELL)


def test_a_noisy_login_shell_is_no_problem(ground: Ground) -> None:
    written(ground)
    ground.run("web1", "sh", "-c", "echo 'echo welcome; echo to this host >&2' >> /root/.bashrc")
    assert health(ground, "web1")[1] == {"web1": WELL | UNWELL}


def test_readings_without_privileges_are_unknown_not_missing(ground: Ground) -> None:
    """A login without privileges and without `become`."""
    ground.run("web1", "useradd", "-m", "-s", "/bin/sh", "jo")
    written(ground, {"web1": {"ssh": {"user": "jo"}}})
    found = health(ground, "web1")[1]["web1"]
    assert found == WELL | UNWELL | {"shadow": 506}


def test_a_server_that_dies_while_it_is_read_is_unknown(ground: Ground) -> None:
    """And its earlier readings stay."""
    written(ground)
    health(ground)
    ground.lab.kill("web2")
    code, found = health(ground)
    assert code == 10
    assert found["web2"] == WELL | UNWELL
    told = json.loads(ground.cli("baseline", "check", "web2", "--json").stdout)["servers"][0]
    assert (told["code"], told["at"] > 0, "closed" in {each["rule"] for each in told["statuses"]}) == (503, True, True)


ENDLESS = """\
rules:
  pattern: {check: file, path: /tmp/long, match: '^(a+)+$'}
  after: {check: file, path: /etc/passwd}
"""


def test_a_pattern_that_never_ends_is_cut_off(ground: Ground) -> None:
    """It costs only its own time limit."""
    written(ground)
    (ground.root / "rules" / "lab.yaml").write_text(ENDLESS)
    ground.run("web1", "sh", "-c", "printf '%s' aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab > /tmp/long")
    assert health(ground, "web1")[1]["web1"] == {"pattern": 504, "after": 200}


SAME = "rules: {conf: {check: file, path: /etc/app.conf, same: [sha256, mode]}}"


def test_a_member_that_differs_from_its_peers_drifts(ground: Ground) -> None:
    """Also if its peers are not checked now."""
    written(ground)
    (ground.root / "rules" / "lab.yaml").write_text(SAME)
    for name in ground.lab.names:
        ground.run(name, "sh", "-c", f"echo {'odd' if name == 'web2' else 'as all'} > /etc/app.conf")
    code, found = health(ground)
    assert (code, {name: each["conf"] for name, each in found.items()}) == (
        10,
        {name: 303 if name == "web2" else 200 for name in ground.lab.names},
    )
    assert health(ground, "web2")[1] == {"web2": {"conf": 303}}


COUNTED = """\
rules:
  cpu: {check: cpu, used: [100%, 100%], severity: warning}
  errors: {check: log, path: /var/log/app.log, pattern: ERROR, count: [1, 100]}
"""


def test_events_between_two_checks_are_counted(ground: Ground) -> None:
    written(ground)
    (ground.root / "rules" / "lab.yaml").write_text(COUNTED)
    ground.run("web1", "sh", "-c", "echo ERROR before > /var/log/app.log")
    assert health(ground, "web1")[1]["web1"] == {"cpu": 100, "errors": 100}, "what stood there is history"
    ground.run("web1", "sh", "-c", "echo ERROR now >> /var/log/app.log; echo fine >> /var/log/app.log")
    found = health(ground, "web1")[1]["web1"]
    assert found["errors"] == 300
    assert found["cpu"] in (200, 300)
    assert health(ground, "web1")[1]["web1"]["errors"] == 200


def test_a_watch_reuses_open_sessions(ground: Ground) -> None:
    """One login for all checks; a server whose session ended gets a new login."""
    from multiall_cli.fleet import Fleet

    written(ground)
    (ground.root / "rules" / "lab.yaml").write_text("rules: {sshd: {check: port, port: 22}}")
    with Fleet.load(str(ground.root)) as fleet:
        fleet.topology.keep_warm()
        for _ in range(3):
            (one,) = fleet.baseline.check("web1")
            assert one.code == 200
        logins = ground.run("web1", "sh", "-c", "pgrep -c -f 'sshd: [r]oot' || true").strip()
        assert logins == b"1"
        ground.run("web1", "sh", "-c", "pkill -f 'sshd: [r]oot' || true")
        (one,) = fleet.baseline.check("web1")
        assert one.code == 200
