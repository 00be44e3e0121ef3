"""Declarations for `multiall cp`: a copy is a sync of one tree that deletes nothing."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path, PurePosixPath

from multiall_cli.domain.errors import MultiAllError, Unreachable, UsageError
from multiall_cli.domain.exits import Exit
from multiall_cli.domain.inventory import FilesDeclaration
from multiall_cli.domain.plan import Absence, Plan
from multiall_cli.domain.report import MemberState, Report, SubjectReport
from multiall_cli.domain.scope import Scope, Subject

_SPECIAL = "\\*?[]!"


def exclude_all_but(name: str) -> tuple[str, ...]:
    """Return patterns that exclude everything at the root except this name."""
    quoted = "".join(f"\\{sign}" if sign in _SPECIAL else sign for sign in name)
    return ("/*", f"!/{quoted}")


def _checked(path: str) -> PurePosixPath:
    parts = PurePosixPath(path).parts
    if not (path.startswith("/") or path.startswith("~/")) or ".." in parts or path in ("/", "~/"):
        raise UsageError(
            "cp", f"{path!r} is not a path on a server", "give an absolute one, or one that begins with ~/"
        )
    return PurePosixPath(path)


@contextmanager
def push_declaration(source: Path, path: str) -> Iterator[FilesDeclaration]:
    """Yield the declaration that copies `source` to `path` (into it, if it ends with a slash)."""
    if not os.path.lexists(source):
        raise UsageError("cp", f"{source} does not exist here", "look at the path")
    there = _checked(path)
    if path.endswith("/"):
        there = there / (source.name or source.resolve().name)
    if source.is_dir():
        yield FilesDeclaration(path=str(there), source=str(source.resolve()))
        return
    with tempfile.TemporaryDirectory(prefix="multiall-cp-") as folder:
        if there.name == source.name and not source.is_symlink():
            folder = str(source.parent.resolve())
        else:
            shutil.copy2(source, Path(folder) / there.name)  # follows a link, like cp
        yield FilesDeclaration(path=str(there.parent), source=folder, exclude=exclude_all_but(there.name))


def pull_declaration(server: str, path: str, folder: Path) -> tuple[FilesDeclaration, str]:
    """Return the declaration that fetches `path` of a server into `folder`/SERVER, and the root to read there.

    A path that ends with a slash is a folder. Any other path is copied by its name, as a file or a folder.
    """
    there = _checked(path)
    place = str((folder / server).absolute())
    if path.endswith("/"):
        return FilesDeclaration(path=place, source=server, from_member=True), str(there)
    patterns = exclude_all_but(there.name)
    return FilesDeclaration(path=place, source=server, from_member=True, exclude=patterns), str(there.parent)


def of_server(server: str, report: Report) -> Report:
    """Return the report of a copy from a server under that server's name: the changed member is the admin host."""
    subject = Subject(server, server)
    return replace(report, members=tuple(replace(each, subject=subject) for each in report.members))


def not_fetched(server: str, fault: MultiAllError | None, scope: Scope) -> Report:
    """Return the report on a server from which nothing was copied; `fault` None: the copy did not begin."""
    subject = Subject(server, server)
    if fault is None:
        plan, left = Plan(scope, (subject,), (), ()), SubjectReport(subject, MemberState.LEFT)
        return Report("", plan, (left,), stopped="interrupted", exit=Exit.INTERRUPTED)
    reason = fault.reason if isinstance(fault, Unreachable) else "fault"
    plan = Plan(scope, (subject,), (), (Absence(subject, (), reason, fault.what, fault.todo),))
    failed = SubjectReport(subject, MemberState.FAILED, reason=fault.what, todo=fault.todo)
    return Report("", plan, (failed,), exit=Exit.PARTIAL)
