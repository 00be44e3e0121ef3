"""Draws docs/demo.svg: what `multiall demo` prints on a terminal of 80 columns."""

import os
import subprocess
import sys
from io import StringIO
from pathlib import Path

from rich.console import Console
from rich.text import Text

LINES = 62  # of the demo's output: the story up to the member that comes back


def main() -> None:
    surroundings = {**os.environ, "FORCE_COLOR": "1", "COLUMNS": "80", "TERM": "xterm-256color"}
    done = subprocess.run(
        [sys.executable, "-m", "multiall_cli", "demo"], env=surroundings, check=True, capture_output=True, text=True
    )
    screen = Console(record=True, width=80, file=StringIO())
    for line in done.stdout.splitlines()[:LINES]:
        screen.print(Text.from_ansi(line), soft_wrap=True)
    Path(__file__).with_name("demo.svg").write_text(screen.export_svg(title="multiall demo"), "utf-8")


if __name__ == "__main__":
    main()
