"""A skewed clock for a host's programs. The kernel has one wall clock for all, so libc is changed instead.

Programs that ask libc read another time; the kernel (times of files, timers) does not change. libfaketime does this
too, but uses shared memory and semaphores, which sshd's sandbox forbids.
"""

from pathlib import Path

from multiall_cli.lab.real import preload

NAME = "clock"
_SHIM = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
#include <sys/time.h>
#include <time.h>
static time_t by(void) {
  static int known; static long offset;
  if (!known) {
    FILE *file = fopen("/etc/multiall-clock", "r");
    if (file) { if (fscanf(file, "%ld", &offset) != 1) offset = 0; fclose(file); }
    known = 1;
  }
  return offset;
}
int clock_gettime(clockid_t which, struct timespec *now) {
  static int (*real)(clockid_t, struct timespec *);
  if (!real) real = (int (*)(clockid_t, struct timespec *))dlsym(RTLD_NEXT, "clock_gettime");
  int result = real(which, now);
  if (!result && (which == CLOCK_REALTIME || which == CLOCK_REALTIME_COARSE)) now->tv_sec += by();
  return result;
}
int gettimeofday(struct timeval *restrict now, void *restrict zone) {
  struct timespec exact; (void)zone;
  clock_gettime(CLOCK_REALTIME, &exact);
  now->tv_sec = exact.tv_sec; now->tv_usec = exact.tv_nsec / 1000;
  return 0;
}
time_t time(time_t *where) {
  struct timespec exact;
  clock_gettime(CLOCK_REALTIME, &exact);
  if (where) *where = exact.tv_sec;
  return exact.tv_sec;
}
"""


def skew(root: Path, place: Path, by: float) -> None:
    """Skew the clock by `by` seconds for programs that start from now on in the host with this root."""
    (root / "etc/multiall-clock").write_text(f"{by:+.0f}\n", "ascii")
    preload.install(root, place, NAME, _SHIM)


def restore(root: Path) -> None:
    preload.remove(root, NAME)
