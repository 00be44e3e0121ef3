"""What psutil tells where the kernel's files do not, as far as that needs no kernel; and what is said of the rest."""

import errno
from collections.abc import Iterator

import psutil
import pytest

from multiall_cli.remote.facts.kernel_files import KERNEL, missing
from multiall_cli.remote.facts.psutil_fallback import READERS, boot_mark, cpu_shares, fallback
from multiall_cli.remote.facts.sources import Unsupported


def test_what_is_not_counted_there_is_not_told() -> None:
    """FreeBSD and macOS have no time of waiting, and none that was stolen."""
    assert cpu_shares({"user": 1, "nice": 1, "system": 1, "idle": 1, "irq": 0}) == {"used": 0.75}


def test_the_moment_of_a_start_may_move_with_the_clock() -> None:
    assert boot_mark(None, 1000.0) == "psutil 1000"
    assert boot_mark({"of": "psutil 1000"}, 1003.0) == "psutil 1000"
    assert boot_mark({"of": "psutil 1000:2"}, 960.0) == "psutil 1000"
    assert boot_mark({"of": "psutil 1000"}, 2000.0) == "psutil 2000"
    for nonsense in ({"of": "5a301866-ac38-4002-9867-277b6b4b8491"}, {"of": 7}, {}, "x", 3):
        assert boot_mark(nonsense, 1000.0) == "psutil 1000"


@pytest.mark.parametrize("name", sorted(set(KERNEL) - set(READERS)))
def test_what_psutil_has_nothing_of(name: str) -> None:
    with pytest.raises(Unsupported, match="is missing, and psutil has no replacement; "):
        fallback(name, KERNEL[name][0])


def test_nothing_is_missing_of_what_needs_no_file() -> None:
    assert missing("disk") == missing("load") == missing("file") == ""


def test_what_psutil_may_not_read_is_a_matter_of_rights() -> None:
    """As it is for all connections on macOS, to who is not root."""

    def denied() -> None:
        raise psutil.AccessDenied(7)

    with pytest.raises(OSError, match="pid=7") as raised:
        fallback("memory", "/proc/meminfo", {"memory": denied})()
    assert raised.value.errno == errno.EACCES


def test_a_file_that_psutil_needs_too_is_named() -> None:
    def gone() -> None:
        raise FileNotFoundError(errno.ENOENT, "No such file or directory", "/nowhere/stat")

    words = "/nowhere/stat is missing, and psutil reads it, too; on Linux, mount /nowhere; "
    with pytest.raises(Unsupported, match=words):
        fallback("uptime", "/proc/uptime", {"uptime": gone})()


@pytest.fixture
def empty_proc(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A folder without processes, by psutil's own setting."""
    before, psutil.PROCFS_PATH = psutil.PROCFS_PATH, str(tmp_path_factory.mktemp("empty"))
    yield
    psutil.PROCFS_PATH = before


@pytest.mark.usefixtures("empty_proc")
def test_a_list_of_processes_that_cannot_be_had_is_not_an_empty_one() -> None:
    for name, arguments in (("zombies", {}), ("process", {"name": "init"})):
        with pytest.raises(Unsupported, match="stat is missing, and psutil reads it, too"):
            fallback(name, "/proc/self/stat")(**arguments)
