"""Libraries that a host's programs load before libc, to be told what libc would not say."""

import shutil
import subprocess
from pathlib import Path

LIST = "etc/ld.so.preload"
WHERE = "usr/local/lib/multiall-lab-{name}.so"


def install(root: Path, place: Path, name: str, source: str) -> None:
    """Programs that start from now on in the host with this root load it. Compiled once, below `place`.

    Errors: OSError. Such a library stays small: what sshd's sandbox does not know ends the login.
    """
    there = WHERE.format(name=name)
    aside = root / f"{there}.new"  # by a rename: programs that run may have the old one in their memory
    shutil.copy(_compiled(place / f"{name}.so", source), aside)
    aside.replace(root / there)
    _write_list(root, [*_listed(root, but=there), f"/{there}"])


def remove(root: Path, name: str) -> None:
    """Programs that start from now on do without it. No harm where it is not there."""
    _write_list(root, _listed(root, but=WHERE.format(name=name)))


def _compiled(ours: Path, source: str) -> Path:
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
    """By a rename: a program that starts meanwhile must not read half of it."""
    if not lines:
        (root / LIST).unlink(missing_ok=True)
        return
    aside = root / f"{LIST}.new"
    aside.write_text("".join(f"{line}\n" for line in lines), "ascii")
    aside.replace(root / LIST)
