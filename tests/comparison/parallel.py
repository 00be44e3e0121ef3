"""A user's script for parallel-ssh, with its Python: `parallel.py KEY COMMAND ADDRESS...`."""

import sys

from pssh.clients import ParallelSSHClient

key, command, *addresses = sys.argv[1:]
client = ParallelSSHClient(addresses, user="root", pkey=key, num_retries=1, timeout=5)
bad = False
for told in client.run_command(command, stop_on_errors=False):
    for line in told.stdout or ():
        sys.stdout.write(f"[{told.host}] {line}\n")
    if told.exception is not None:
        sys.stderr.write(f"[{told.host}] {told.exception!r}\n")
    bad = bad or told.exception is not None or told.exit_code != 0
sys.exit(bad)
