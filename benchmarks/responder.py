"""Answers every connection with an SSH banner and hangs up: `python responder.py PORT`. As cheap as Python can."""

import contextlib
import socket
import sys

BANNER = b"SSH-2.0-OpenSSH_9.2p1\r\n"


def main(port: int) -> None:
    with socket.create_server(("0.0.0.0", port), backlog=4096) as server:  # noqa: S104  (all of loopback's addresses)
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        while True:
            connection, _ = server.accept()
            with contextlib.suppress(OSError):
                connection.send(BANNER)
            connection.close()


if __name__ == "__main__":
    main(int(sys.argv[1]))
