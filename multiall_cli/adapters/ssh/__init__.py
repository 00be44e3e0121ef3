"""Sessions over SSH: host keys always checked, the member's own login, one connection per session."""

from multiall_cli.adapters.ssh.hostkeys import HostKey, pin
from multiall_cli.adapters.ssh.transport import SshTransport

__all__ = ["HostKey", "SshTransport", "pin"]
