"""Services under systemd, OpenRC and sysvinit: the commands of `after: [{reload: nginx}]`."""

from multiall_cli.domain.inventory import After

SCRIPT = (
    'if [ -d /run/systemd/system ]; then exec systemctl "$1" -- "$2"; '
    'elif command -v rc-service >/dev/null 2>&1; then exec rc-service -- "$2" "$1"; '
    'else exec service "$2" "$1"; fi'
)
"""A constant; the verb and the service come as its arguments and never as part of it."""


def handler_argv(action: After) -> tuple[str, ...]:
    """What is run on the member for an `after` action."""
    if action.verb == "run":
        return action.arguments
    return ("sh", "-c", SCRIPT, "sh", action.verb, *action.arguments)
