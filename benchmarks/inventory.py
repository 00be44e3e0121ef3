"""How long an inventory of many servers takes to read, and to choose from: `python -m benchmarks.inventory [N]`."""

import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from time import perf_counter

from multiall_cli.adapters.site.read import read_site
from multiall_cli.domain.inventory import Site
from multiall_cli.planning.targets import fold, select, world_of

_EXPRESSIONS = ("site=fra & !web[1-99]", "@web & rack=r7", "web[1-5000]", "web*1")


def _explicit(many: int) -> str:
    servers = "".join(
        f"  web{number}:\n    address: 10.{number >> 16}.{number >> 8 & 255}.{number & 255}\n"
        f"    ssh: {{user: deploy, port: 22}}\n    labels: {{rack: r{number % 40}, site: fra}}\n"
        for number in range(1, many + 1)
    )
    return f"servers:\n{servers}pools:\n  web: {{members: 'web[1-{many}]'}}\n"


def _ranges(many: int) -> str:
    per_rack = many // 40
    servers = "".join(
        f"  web[{rack * per_rack + 1}-{(rack + 1) * per_rack}]:\n    labels: {{rack: r{rack}, site: fra}}\n"
        for rack in range(40)
    )
    return f"servers:\n{servers}pools:\n  web: {{members: 'web[1-{per_rack * 40}]'}}\n"


def _timed(label: str, work: Callable[[], object]) -> None:
    times = []
    for _ in range(5):
        begun = perf_counter()
        work()
        times.append(perf_counter() - begun)
    print(f"{label:44} {sorted(times)[2] * 1000:9.1f} ms")


def _measure(label: str, text: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        (root / "inventory").mkdir()
        (root / "inventory" / "site.yaml").write_text(text, "utf-8")
        _timed(f"{label}: read", lambda: read_site(root))
        _choose(label, read_site(root))


def _choose(label: str, site: Site) -> None:
    world = world_of(site.inventory)
    for expression in _EXPRESSIONS:
        _timed(f"{label}: select {expression}", lambda chosen=expression: select(chosen, world))  # type: ignore[misc]
    _timed(f"{label}: fold all", lambda: fold(world.servers))


if __name__ == "__main__":
    servers = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
    _measure(f"{servers} entries", _explicit(servers))
    _measure(f"{servers} in ranges", _ranges(servers))
