"""The modules of `remote/` that are sent to members, and their bytes."""

import json
import zlib
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from importlib.resources import files

from multiall_cli.remote import frames

MODULES = (
    "frames",
    "loop",
    "operations",
    "refusal",
    *(f"formats.{name}" for name in ("patterns", "transfer", "tree_records")),
    *(
        f"ops.{name}"
        for name in (
            "apply",
            "atomic_rename",
            "content",
            "dirfd",
            "host_info",
            "prepare",
            "renameat2",
            "retention",
            "scan",
            "staging",
            "staging_area",
            "trust",
        )
    ),
)
"""Modules that every session sends."""


def _collectors() -> tuple[str, ...]:
    formats = (f"formats.{name}" for name in ("dns_message", "package_tables", "package_versions"))
    names = (each.name.removesuffix(".py") for each in files("multiall_cli.remote.facts").iterdir())
    return (*formats, *sorted(f"facts.{name}" for name in names if not name.startswith("_")))


EXTRA_MODULES: Mapping[str, Callable[[], tuple[str, ...]]] = {
    "probe_tcp": lambda: ("ops.tcp_probe",),
    "neighbours": lambda: ("ops.neighbours",),
    "publish": lambda: ("ops.publish",),
    "resolve_link": lambda: ("ops.resolve_link",),
    "service_inventory": lambda: (
        "ops.service_inventory",
        *(f"facts.{name}" for name in ("mount", "port", "service", "sources", "systemd")),
    ),
    "collect": _collectors,
}
"""Operations whose modules are sent with their first request, so that no other session pays for them."""

BOOT = (
    "import sys,zlib;s=sys.stdin.buffer;"
    'l=next(x for x in iter(s.readline,b"") if x[:9]==b"multiall ");'
    "exec(zlib.decompress(s.read(int(l[9:]))))"
)
"""The member's first program. It has no newline, backslash or exclamation mark, so any login shell passes it on.

It skips lines before the bundle: a password that sudo did not ask for must not be read as the bundle.
"""

ARGUMENTS = ("-ISc", BOOT)
"""Arguments of python3: isolated from the settings of user and site."""


@cache
def bundle() -> bytes:
    """Return the program that runs the loop and imports its modules from memory: its length, then it, compressed."""
    package = "multiall_cli.remote"
    program = (
        f"import sys;n='{package}.importer';m=type(sys)(n)\n"
        f"exec(compile({_sources(['importer'])[0][1]!r},n,'exec'),m.__dict__)\n"
        f"m.install({_sources(MODULES)!r})\n"
        "sys.modules[n]=m\n"
        f"import {package} as r;r.importer=m\n"
        f"from {package} import loop,operations\n"
        "loop.main(operations.find_operation)\n"
    )
    packed = zlib.compress(program.encode("utf-8"), 9)
    return b"multiall %d\n" % len(packed) + packed


@cache
def extra_bundle(operation: str) -> bytes:
    """Return the modules of one of EXTRA_MODULES as a frame."""
    packed = zlib.compress(json.dumps(dict(_sources(EXTRA_MODULES[operation]()))).encode("ascii"), 9)
    return frames.pack(frames.MODULES, packed)  # type: ignore[no-any-return]


def _sources(names: Iterable[str]) -> list[tuple[str, str]]:
    """Return (module, source) of modules below `remote/`; their names are relative to it."""
    folder = files("multiall_cli.remote")
    paths = {name: name.replace(".", "/") + ".py" for name in names}
    return [(f"multiall_cli.remote.{name}", (folder / path).read_text("utf-8")) for name, path in paths.items()]
