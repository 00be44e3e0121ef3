"""The admin host where /proc is away for real: psutil is asked where it can tell, and what is missing is said."""

import json
import os
import shutil
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import psutil
import pytest

from multiall_cli.adapters.local import LocalProcess, LocalTransport
from multiall_cli.adapters.loop_client import LoopClient
from multiall_cli.adapters.remote_bundle import ARGUMENTS
from multiall_cli.domain.inventory import ADMIN
from multiall_cli.remote.facts.kernel_files import KERNEL
from multiall_cli.remote.facts.psutil_fallback import READERS

pytestmark = pytest.mark.root

ROOT = Path(__file__).parents[2]
AWAY = """
import sys
sys.path.insert(0, sys.argv.pop(1))
from multiall_cli.lab.real import syscalls
syscalls.unshare(syscalls.NEWNS)
syscalls.mount(None, "/", None, syscalls.PRIVATE | syscalls.REC)
syscalls.mount("/proc", sys.argv[1], None, syscalls.BIND | syscalls.REC)
syscalls.mount("none", "/proc", "tmpfs")
"""
TOLD = """
import psutil
psutil.PROCFS_PATH = sys.argv[1]
"""
CALL = """
from multiall_cli.cli.main import run
sys.exit(run(sys.argv[2:]))
"""
HERE = """
from tests.integration.test_without_proc import looked
print(looked())
"""
MEMBER = """
from tests.integration.test_without_proc import looked_by
print(looked_by(sys.argv[2]))
"""
WITH_PACKAGES = "import site, sys; sys.path.extend(site.getsitepackages()); import psutil"
WHERE = "import site; print(site.getsitepackages()[0])"
PACK = """\
rules:
  memory: {check: memory, available: 0%}
  age: {check: uptime, age: 1s}
  self: {check: process, command: 'baseline.*check'}
  none: {check: process, name: no-such-program}
  zombies: {check: zombies, count: 100000}
  root: {check: mount, path: /}
  port: {check: port, port: 1}
  lo: {check: interface, name: lo, state: up}
  cpu: {check: cpu, used: 100%}
  disk: {check: disk, path: /, free: 1kB}
  there: {check: file, path: /tmp}
  files: {check: open_files, used: 99%}
  kernel: {check: sysctl, name: kernel.ostype, value: Linux}
  arrays: {check: raid}
"""
SUBJECTS: dict[str, dict[str, object]] = {
    "process": {"command": "python"},
    "mount": {"path": "/"},
    "port": {"port": 1},
    "interface": {"name": "lo"},
    "pressure": {"resource": "cpu"},
    "sysctl": {"name": "kernel.ostype"},
    "module": {"name": "loop"},
}
WANTED = [[name, SUBJECTS.get(name, {}), None] for name in KERNEL]


def looked() -> str:
    """What the loop of the admin host tells of all gauges that read the kernel's files."""
    with closing(LocalTransport(10.0).open(ADMIN)) as session:
        return json.dumps(session.call("collect", within=10.0, wanted=WANTED).value()["read"])


def looked_by(python: str) -> str:
    """The same by a loop that is started as on a member."""
    resident = LoopClient(LocalProcess([python, *ARGUMENTS]), "web1")
    with closing(resident):
        return json.dumps(resident.call("collect", (), 10, {"within": 10.0, "wanted": WANTED}).value()["read"])


def away(tmp_path: Path, program: str, *words: str) -> "subprocess.CompletedProcess[str]":
    """A program in a mount namespace in which /proc is an empty folder, and the real one is at `proc`."""
    (tmp_path / "proc").mkdir(exist_ok=True)
    argv = [sys.executable, "-c", AWAY + program, str(ROOT), str(tmp_path / "proc"), *words]
    done = subprocess.run(argv, capture_output=True, text=True, cwd=ROOT, check=False)
    if "Operation not permitted" in done.stderr:
        pytest.skip("no mount namespaces here")
    return done


def told(done: "subprocess.CompletedProcess[str]") -> dict[str, Any]:
    assert done.returncode == 0, done.stderr
    return dict(zip(KERNEL, json.loads(done.stdout), strict=True))


@pytest.fixture
def site(tmp_path: Path) -> Path:
    folder = tmp_path / "site"
    for name, text in {
        "multiall.yaml": "store: ./state\n",
        "inventory/here.yaml": "servers: {here: {transport: local}}\n"
        "pools: {all: {members: [here], baseline: [own]}}\n",
        "rules/own.yaml": PACK,
    }.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


def statuses(done: "subprocess.CompletedProcess[str]") -> dict[str, dict[str, Any]]:
    assert done.stdout, done.stderr
    (server,) = json.loads(done.stdout)["servers"]
    return {each["rule"]: each for each in server["statuses"]}


def test_a_whole_check(tmp_path: Path, site: Path) -> None:
    """Where the loop is told of a copy of /proc: what psutil knows is judged, what it does not is unsupported (501)."""
    done = away(tmp_path, TOLD + CALL, "--site", str(site), "baseline", "check", "here", "--json")
    found = statuses(done)
    codes = {name: each["code"] for name, each in found.items()}
    cpu = codes.pop("cpu")
    assert cpu in (100, 501), "psutil 7 has no processor times where there was no /proc when it was loaded"
    well = dict.fromkeys(("memory", "age", "self", "zombies", "root", "lo", "disk", "there"), 200)
    unsupported = dict.fromkeys(("files", "kernel", "arrays"), 501)
    assert codes == {**well, **unsupported, "none": codes["none"], "port": codes["port"]}, done.stdout
    assert 400 <= codes["none"] < 500
    assert 400 <= codes["port"] < 500
    assert done.returncode == 10
    for name in unsupported:
        assert "is missing, and psutil has no replacement" in json.dumps(found[name])


def test_the_same_facts_as_with_proc(tmp_path: Path) -> None:
    """But those that psutil has nothing of, and marks, which are its own."""
    ours, theirs = json.loads(looked()), told(away(tmp_path, TOLD + HERE))
    for name, before in zip(KERNEL, ours, strict=True):
        if "values" in before and "values" in theirs[name] and name != "cpu":
            assert set(theirs[name]["values"]) == set(before["values"]), name
    assert {name for name, each in theirs.items() if "values" in each} >= {*READERS} - {"cpu"}
    assert theirs["mount"] == ours[list(KERNEL).index("mount")]
    assert theirs["port"] == ours[list(KERNEL).index("port")]


def test_psutil_is_of_no_use_where_it_finds_no_proc(tmp_path: Path) -> None:
    """That is said, and nothing is told for a fact."""
    for name, each in told(away(tmp_path, HERE)).items():
        assert each["kind"] == "unsupported", name
        words = "psutil reads it, too" if name in READERS else "psutil has no replacement"
        assert f"is missing, and {words}; on Linux, mount /" in each["trouble"], name


def test_without_psutil(tmp_path: Path) -> None:
    """As on a member where nobody installed it: what is missing, and what helps."""
    python = os.path.realpath(sys.executable)
    if subprocess.run([python, "-ISc", WITH_PACKAGES], check=False, capture_output=True).returncode == 0:
        pytest.skip(f"{python} has psutil")
    for name, each in told(away(tmp_path, MEMBER, python)).items():
        assert each["kind"] == "unsupported", name
        if name in READERS:
            file = each["trouble"].split(" ")[0]
            assert file in KERNEL[name]
            helps = f"install python3-psutil, or psutil with pip for {python}"
            assert each["trouble"] == f"{file} is missing, and so is psutil; {helps}", name


def test_a_members_own_psutil_is_found(tmp_path: Path) -> None:
    """Among the packages of its Python; no settings of its site are executed for that."""
    python, packages = own_python(tmp_path / "own")
    (packages / "psutil").symlink_to(Path(psutil.__file__).parent)
    (packages / "odd.pth").write_text(f"import os; os.mkdir({str(tmp_path / 'executed')!r})\n")
    for name, each in told(away(tmp_path, MEMBER, str(python))).items():
        words = "psutil reads it, too" if name in READERS else "psutil has no replacement"
        assert words in each["trouble"], name
    assert not (tmp_path / "executed").exists()


def own_python(folder: Path) -> tuple[Path, Path]:
    """A Python with a folder of packages that is empty: the same program, with the same library."""
    python = folder / "bin" / Path(os.path.realpath(sys.executable)).name
    python.parent.mkdir(parents=True)
    shutil.copy(os.path.realpath(sys.executable), python)
    library = Path(os.__file__).parent
    ours = folder / "lib" / library.name
    ours.mkdir(parents=True)
    for each in library.iterdir():
        if each.name not in ("site-packages", "dist-packages"):
            (ours / each.name).symlink_to(each)
    asked = subprocess.run([python, "-ISc", WHERE], check=False, capture_output=True, text=True)
    packages = Path(asked.stdout.strip() or "/")
    if folder not in packages.parents:
        pytest.skip(f"a copy of this Python does not run by itself: {asked.stderr}")
    packages.mkdir(parents=True, exist_ok=True)
    return python, packages
