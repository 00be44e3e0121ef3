"""Libraries that a host's programs load before libc, to replace some of its functions."""

import shutil
import subprocess
from pathlib import Path

LIST = "etc/ld.so.preload"
WHERE = "usr/local/lib/multiall-lab-{name}.so"


def install(root: Path, place: Path, name: str, source: str) -> None:
    """Let programs that start from now on in the host with this root load a library, compiled once below `place`.

    Raises OSError. Keep such a library small: calls that sshd's sandbox forbids end the login.
    """
    there = WHERE.format(name=name)
    aside = root / f"{there}.new"  # installed by a rename: running programs may have mapped the old one
    shutil.copy(_compile(place / f"{name}.so", source), aside)
    aside.replace(root / there)
    _write_list(root, [*_listed(root, but=there), f"/{there}"])


def remove(root: Path, name: str) -> None:
    """Let programs that start from now on run without it; no effect if it is not installed."""
    _write_list(root, _listed(root, but=WHERE.format(name=name)))


def _compile(ours: Path, source: str) -> Path:
    if not ours.exists():
        compiler = shutil.which("cc")
        if compiler is None:
            raise OSError("this fault needs a C compiler (the packages gcc and libc6-dev) on this machine")
        argv = [compiler, "-shared", "-fPIC", "-O1", "-x", "c", "-o", str(ours), "-", "-ldl"]
        subprocess.run(argv, input=source.encode(), check=True, capture_output=True)
    return ours


def _listed(root: Path, but: str) -> list[str]:
    try:
        lines = (root / LIST).read_text("ascii").split()
    except FileNotFoundError:
        return []
    return [line for line in lines if line != f"/{but}"]


def _write_list(root: Path, lines: list[str]) -> None:
    """Write by a rename: a program that starts meanwhile must not read half of it."""
    if not lines:
        (root / LIST).unlink(missing_ok=True)
        return
    aside = root / f"{LIST}.new"
    aside.write_text("".join(f"{line}\n" for line in lines), "ascii")
    aside.replace(root / LIST)
