"""Completion in bash: typer's own script loses targets such as @web and rack=r1, which bash cuts into words."""

import os

from typer import _completion_shared
from typer._click.shell_completion import add_completion_class, split_arg_string
from typer._completion_classes import BashComplete

SCRIPT = """
%(complete_func)s() {
    local IFS=$'\\n'
    COMPREPLY=( $( env COMP_LINE="${COMP_LINE:0:COMP_POINT}" COMP_BREAKS="$COMP_WORDBREAKS" \\
                   %(autocomplete_var)s=complete_bash "$1" ) )
    return 0
}

complete -o default -F %(complete_func)s %(prog_name)s
"""

KEPT = "@$"
"""Signs that bash takes for the end of a word, and yet replaces together with what follows them."""


class Bash(BashComplete):
    """Reads the line itself, not bash's idea of its words; answers what bash puts in place of its last word."""

    source_template = SCRIPT

    def get_completion_args(self) -> tuple[list[str], str]:
        line = os.environ.get("COMP_LINE", "")
        words = split_arg_string(line)
        if line[-1:].isspace() or not words:
            return words[1:], ""
        return words[1:-1], words[-1]

    def complete(self) -> str:
        args, incomplete = self.get_completion_args()
        keep = replaced(incomplete, os.environ.get("COMP_LINE", ""), os.environ.get("COMP_BREAKS", ""))
        return "\n".join(item.value[keep:] for item in self.get_completions(args, incomplete))


def replaced(incomplete: str, line: str, breaks: str) -> int:
    """Where in the word that part begins which bash replaces. A quoted word is replaced whole."""
    if not line.endswith(incomplete) or line[: len(line) - len(incomplete)].endswith(("'", '"')):
        return 0
    last = max((incomplete.rfind(sign) for sign in breaks), default=-1)
    return last if last >= 0 and incomplete[last] in KEPT else last + 1


def teach() -> None:
    """Put ours in the place of typer's."""
    _completion_shared._completion_scripts["bash"] = SCRIPT
    add_completion_class(Bash, "bash")
