"""The built-in packs on hosts with the real programs: healthy as in Debian, else exactly the right rules fail."""

import json
import shutil
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from multiall_cli.lab.real.faults import FaultKind
from multiall_cli.lab.real.requirements import search_path
from tests.lab.ground import ROOT, Ground

Codes = dict[str, int]
HOST = "web1"


def needs(program: str, package: str) -> pytest.MarkDecorator:
    """A lab's hosts have the programs of this machine."""
    found = shutil.which(program, path=search_path())
    return pytest.mark.skipif(found is None, reason=f"{program} is not installed (apt-get install {package})")


def taken(ground: Ground, pack: str, user: str = "root") -> dict[str, dict[str, object]]:
    """Write the site with the pack for its pool, without waiting times; return the pack's rules."""
    ground.write({HOST: {"ssh": {"user": user}}}, only=[HOST])
    path: Path = ground.root / "inventory" / "all.yaml"
    told = json.loads(path.read_text())
    rules: dict[str, dict[str, object]] = yaml.safe_load((ROOT / "rules" / f"{pack}.yaml").read_text())["rules"]
    told["pools"]["web"]["rules"] = {name: {"for": "0s"} for name, words in rules.items() if "for" in words}
    told["pools"]["web"]["baseline"] = [pack]
    told["pools"]["web"].pop("files", None)
    path.write_text(json.dumps(told))
    return rules


def bad(ground: Ground) -> Codes:
    """Return rule → code of all rules that fail."""
    done = ground.cli("baseline", "check", HOST, "--json")
    assert done.returncode in (0, 10), done.stderr
    statuses = json.loads(done.stdout)["servers"][0]["statuses"]
    assert statuses
    return {each["rule"]: each["code"] for each in statuses if each["code"] != 200}


def serves(ground: Ground, service: str) -> None:
    """Wait until services listen on their ports."""
    ground.run(HOST, "service", service, "start")


def falls_and_is_helped(ground: Ground, service: str, consequences: dict[str, str]) -> None:
    """Stopped: one rule fails, its consequences are muted; the rule's remedy repairs it."""
    (process,) = (rule for rule, word in consequences.items() if word == "fails")
    ground.run(HOST, "service", service, "stop")
    muted = {rule: 106 for rule, word in consequences.items() if word == "muted"}
    assert bad(ground) == {process: 400} | muted
    done = ground.cli("baseline", "remedy", HOST, "--yes")
    assert (done.returncode, "1 of 1 remedy helped" in done.stdout) == (0, True), done.stdout + done.stderr
    assert bad(ground) == {}


def write(ground: Ground, path: str, text: str | bytes) -> None:
    ground.run(HOST, "sh", "-c", 'cat > "$1"', "sh", path, stdin=text if isinstance(text, bytes) else text.encode())


# --- web ----------------------------------------------------------------------------------------------------------

SECURE = """\
server {
  listen 443 ssl;
  ssl_certificate /etc/ssl/lab.pem;
  ssl_certificate_key /etc/ssl/lab.pem;
}
"""


def certified(ground: Ground, days: int) -> None:
    """nginx with TLS, and a certificate that is valid for so many days."""
    key, name = generate_private_key(SECP256R1()), x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.fromtimestamp(time.time(), UTC)
    builder = x509.CertificateBuilder(name, name, key.public_key(), 1, now - timedelta(1), now + timedelta(days, 3600))
    told = builder.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM)
    own = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    write(ground, "/etc/ssl/lab.pem", told + own)
    write(ground, "/etc/nginx/conf.d/lab.conf", SECURE)


@needs("nginx", "nginx")
def test_web(ground: Ground) -> None:
    taken(ground, "web")
    certified(ground, 60)
    serves(ground, "nginx")
    assert bad(ground) == {}
    consequences = dict.fromkeys(("enabled", "http", "https", "answers", "certificate"), "muted") | {"process": "fails"}
    falls_and_is_helped(ground, "nginx", {f"web.{name}": word for name, word in consequences.items()})
    ground.run(HOST, "chmod", "666", "/etc/nginx/nginx.conf")
    assert bad(ground) == {"web.config": 403}


@needs("nginx", "nginx")
def test_web_that_answers_wrongly(ground: Ground) -> None:
    """Its page is missing, its certificate expires soon, and it is disabled."""
    taken(ground, "web")
    certified(ground, 14)
    ground.run(HOST, "sh", "-c", "rm -r /var/www/html/* /etc/rc?.d/S??nginx")
    serves(ground, "nginx")
    assert bad(ground) == {"web.answers": 402, "web.certificate": 304, "web.enabled": 300}


# --- databases ----------------------------------------------------------------------------------------------------


@needs("pg_ctlcluster", "postgresql")
def test_postgres(ground: Ground) -> None:
    taken(ground, "postgres")
    serves(ground, "postgresql")
    assert bad(ground) == {}
    consequences = dict.fromkeys(("enabled", "port", "answers"), "muted") | {"process": "fails"}
    falls_and_is_helped(ground, "postgresql", {f"postgres.{name}": word for name, word in consequences.items()})
    ground.run(HOST, "chmod", "777", "/var/lib/postgresql")
    assert bad(ground) == {"postgres.folder": 403}
    with ground.lab.broken(HOST, FaultKind.FILL_DISK):
        assert bad(ground) == {"postgres.folder": 403, "postgres.disk": 400}


@needs("pg_ctlcluster", "postgresql")
def test_postgres_that_lets_nobody_in_over_the_network(ground: Ground) -> None:
    taken(ground, "postgres")
    ground.run(HOST, "sh", "-c", "echo \"listen_addresses = ''\" | tee -a /etc/postgresql/*/*/postgresql.conf")
    serves(ground, "postgresql")
    assert bad(ground) == {"postgres.port": 401, "postgres.answers": 106}


@needs("mariadbd", "mariadb-server")
def test_mariadb(ground: Ground) -> None:
    taken(ground, "mariadb")
    serves(ground, "mariadb")
    assert bad(ground) == {}
    consequences = dict.fromkeys(("enabled", "port", "answers"), "muted") | {"process": "fails"}
    falls_and_is_helped(ground, "mariadb", {f"mariadb.{name}": word for name, word in consequences.items()})
    ground.run(HOST, "chown", "root", "/var/lib/mysql")
    assert bad(ground) == {"mariadb.folder": 403}


@needs("mariadbd", "mariadb-server")
def test_mariadb_that_has_no_port(ground: Ground) -> None:
    taken(ground, "mariadb")
    write(ground, "/etc/mysql/mariadb.conf.d/99-own.cnf", "[mariadbd]\nskip-networking\n")
    serves(ground, "mariadb")
    assert bad(ground) == {"mariadb.port": 401, "mariadb.answers": 106}


# --- names --------------------------------------------------------------------------------------------------------


@needs("named", "bind9")
def test_bind9(ground: Ground) -> None:
    taken(ground, "bind9")
    serves(ground, "named")
    assert bad(ground) == {}
    consequences = dict.fromkeys(("enabled", "udp", "tcp", "answers"), "muted") | {"process": "fails"}
    falls_and_is_helped(ground, "named", {f"bind9.{name}": word for name, word in consequences.items()})
    ground.run(HOST, "chmod", "644", "/etc/bind/rndc.key")
    ground.run(HOST, "chown", "bind", "/etc/bind/named.conf")
    assert bad(ground) == {"bind9.key": 403, "bind9.config": 403}


@needs("named", "bind9")
def test_bind9_that_lost_its_zones(ground: Ground) -> None:
    taken(ground, "bind9")
    write(ground, "/etc/bind/named.conf", 'options { directory "/var/cache/bind"; recursion no; };\n')
    serves(ground, "named")
    assert bad(ground) == {"bind9.answers": 404}


# --- SSH ----------------------------------------------------------------------------------------------------------

OPEN = {
    "PermitRootLogin yes": "ssh.root",
    "PasswordAuthentication yes": "ssh.passwords",
    "KbdInteractiveAuthentication yes": "ssh.keyboard",
    "PermitEmptyPasswords yes": "ssh.empty",
    "HostbasedAuthentication yes": "ssh.trusted",
    "StrictModes no": "ssh.strict",
    "PermitUserEnvironment yes": "ssh.environment",
    "X11Forwarding yes": "ssh.x11",
    "Ciphers +3des-cbc": "ssh.ciphers",
}
"""A file in sshd_config.d, which overrides sshd_config, and the one rule that notices it."""
MILD = ("ssh.x11", "ssh.ciphers")
DROP_IN = "/etc/ssh/sshd_config.d/10-own.conf"


def test_ssh_hardening(ground: Ground) -> None:
    taken(ground, "ssh-hardening")
    assert bad(ground) == {}
    for lines in (list(OPEN)[::2], list(OPEN)[1::2]):
        write(ground, DROP_IN, "".join(f"{line}\n" for line in lines))
        assert bad(ground) == {OPEN[line]: 300 if OPEN[line] in MILD else 402 for line in lines}


def test_ssh_hardening_looks_at_rights(ground: Ground) -> None:
    taken(ground, "ssh-hardening")
    ground.run(HOST, "sh", "-c", "mkdir -m 700 /root/.ssh && touch /root/.ssh/authorized_keys /etc/ssh/old_key")
    ground.run(HOST, "chmod", "600", "/etc/ssh/old_key")
    assert bad(ground) == {}
    for mode, path, rule in (
        ("666", "/etc/ssh/sshd_config", "ssh.config"),
        ("644", "/etc/ssh/old_key", "ssh.keys"),
        ("664", "/root/.ssh/authorized_keys", "ssh.own"),
    ):
        before = oct(ground.on(HOST, path).stat().st_mode & 0o7777)[2:]
        ground.run(HOST, "chmod", mode, path)
        shown = ground.cli("baseline", "check", HOST).stdout
        assert (bad(ground), path in shown) == ({rule: 402}, True), shown
        ground.run(HOST, "chmod", before, path)
    assert bad(ground) == {}


def test_ssh_hardening_of_a_configuration_that_sshd_cannot_read(ground: Ground) -> None:
    """Its meaning is unknown then; the running sshd still has the old one."""
    taken(ground, "ssh-hardening")
    write(ground, DROP_IN, "PasswordAuthentication perhaps\n")
    assert bad(ground) == {"ssh.valid": 402} | dict.fromkeys(OPEN.values(), 106)


def test_ssh_hardening_without_rights_is_unknown(ground: Ground) -> None:
    rules = taken(ground, "ssh-hardening", user="jo")
    ground.run(HOST, "useradd", "-m", "-s", "/bin/sh", "jo")
    seen = ("ssh.process", "ssh.port", "ssh.config", "ssh.keys")
    muted = [name for name in rules if name not in ("ssh.rights", *seen)]
    assert bad(ground) == {"ssh.rights": 506} | dict.fromkeys(muted, 106)
