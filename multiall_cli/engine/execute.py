"""One command, or one request for facts, on many servers at once."""

from collections.abc import Callable, Iterator, Sequence

from multiall_cli.domain.answer import Executed, Facts
from multiall_cli.domain.errors import MultiAllError
from multiall_cli.domain.inventory import Server
from multiall_cli.domain.run import Progress
from multiall_cli.engine.context import Context
from multiall_cli.engine.fanout import fan_out

OnLine = Callable[[str, str, bytes], None]
"""Called with output as it arrives: server, "stdout" | "stderr", bytes."""


def execute(
    context: Context,
    servers: Sequence[Server],
    argv: Sequence[str],
    stdin: bytes = b"",
    timeout: float | None = None,
    on_output: OnLine | None = None,
) -> Iterator[Executed]:
    """Yield the command's result on each server, in the order in which they end."""

    def run(server: Server) -> Executed:
        def told(stream: str, piece: bytes) -> None:
            if on_output is not None:
                on_output(server.name, stream, piece)

        session = context.transport.open(server)
        try:
            done = session.run(argv, stdin, timeout, told if on_output else None)
        except MultiAllError as fault:
            stdout, stderr = map(_text, fault.so_far)
            return Executed(server.name, None, stdout, stderr, trouble=fault.what, todo=fault.todo)
        finally:
            session.close()
        return Executed(server.name, done.exit_code, _text(done.stdout.whole()), _text(done.stderr.whole()))

    for server, result in fan_out(servers, run, context.parallel, context.stop):
        context.watch(Progress("ran", server.name))
        if isinstance(result, MultiAllError):
            yield Executed(server.name, None, trouble=result.what, todo=result.todo, begun=False)
        else:
            yield result


def _text(output: bytes) -> str:
    return output.decode("utf-8", "surrogateescape")


def facts(context: Context, servers: Sequence[Server]) -> Iterator[Facts]:
    """Yield each server's facts about itself, in the order in which they answer."""

    def ask(server: Server) -> Facts:
        session = context.transport.open(server)
        try:
            return Facts(server.name, dict(session.call("host_info").value()))
        finally:
            session.close()

    for server, result in fan_out(servers, ask, context.parallel, context.stop):
        context.watch(Progress("asked", server.name))
        if isinstance(result, MultiAllError):
            yield Facts(server.name, {}, result.what, result.todo)
        else:
            yield result
