"""A failing disk: reads, writes or syncs of a host's data return an input/output error (EIO).

Data is everything below /srv, /home, /root and /var/lib: the programs themselves still start.
"""

from collections.abc import Sequence
from pathlib import Path

from multiall_cli.lab.real import preload

NAME = "sick"
WORKS = ("read", "write", "sync")
_SHIM = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>
static int fails(const char *work, int file) {
  static int known; static char works[64];
  static const char *data[] = {"/srv/", "/home/", "/root/", "/var/lib/"};
  struct stat found; char link[64], path[4096]; FILE *told; ssize_t length; unsigned one;
  if (fstat(file, &found) || !(S_ISREG(found.st_mode) || S_ISDIR(found.st_mode))) return 0;
  if (!known) {
    known = 1;
    if ((told = fopen("/etc/multiall-sick", "r"))) {
      if (!fgets(works, sizeof works, told)) works[0] = 0;
      fclose(told);
    }
  }
  if (!strstr(works, work)) return 0;
  snprintf(link, sizeof link, "/proc/self/fd/%d", file);
  length = readlink(link, path, sizeof path - 1);
  if (length < 0) return 0;
  path[length] = 0;
  for (one = 0; one < sizeof data / sizeof *data; one++)
    if (!strncmp(path, data[one], strlen(data[one]))) { errno = EIO; return 1; }
  return 0;
}
#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))
ssize_t read(int file, void *to, size_t size) { return fails("read", file) ? -1 : REAL(read)(file, to, size); }
ssize_t pread64(int file, void *to, size_t size, off64_t at) {
  return fails("read", file) ? -1 : REAL(pread64)(file, to, size, at);
}
ssize_t write(int file, const void *from, size_t size) {
  return fails("write", file) ? -1 : REAL(write)(file, from, size);
}
int fsync(int file) { return fails("sync", file) ? -1 : REAL(fsync)(file); }
int fdatasync(int file) { return fails("sync", file) ? -1 : REAL(fdatasync)(file); }
int syncfs(int file) { return fails("sync", file) ? -1 : REAL(syncfs)(file); }
"""


def fail(root: Path, place: Path, works: Sequence[str]) -> None:
    """Let these operations (of WORKS) fail for programs that start from now on. Raises OSError."""
    unknown = [work for work in works if work not in WORKS]
    if unknown:
        raise OSError(f"`{unknown[0]}` is not an operation of a disk; use {', '.join(WORKS)}")
    (root / "etc/multiall-sick").write_text(" ".join(works) + "\n", "ascii")
    preload.install(root, place, NAME, _SHIM)


def restore(root: Path) -> None:
    preload.remove(root, NAME)
