"""Services under systemd, OpenRC and sysvinit: the commands of `after: [{reload: nginx}]`."""

from multiall_cli.domain.inventory import After

SCRIPT = (
    'if [ -d /run/systemd/system ]; then exec systemctl "$1" -- "$2"; '
    'elif command -v rc-service >/dev/null 2>&1; then exec rc-service -- "$2" "$1"; '
    'else exec service "$2" "$1"; fi'
)
"""A constant script: the verb and the service are its arguments."""


def handler_argv(action: After) -> tuple[str, ...]:
    """Return the argv of a handler."""
    if action.verb == "run":
        return action.arguments
    return ("sh", "-c", SCRIPT, "sh", action.verb, *action.arguments)
