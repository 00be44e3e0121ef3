"""Programs that a host starts: Debian's sshd, and the requested services."""

INIT_PATH = "/usr/local/sbin/multiall-lab-init"
START_SSHD = ("/usr/sbin/sshd", "-E", "/run/sshd.log")
INIT = f"""\
#!/bin/sh
# PID 1 of a lab host: start sshd and the services, report to the lab on descriptor 3, then stay.
mkdir -p /run/sshd /run/lock /run/user
{" ".join(START_SSHD)}
for service in $(cat /etc/multiall-lab/services); do
  service "$service" start >>/run/services.log 2>&1 3>&- || echo "$service" >&3
done
exec 3>&-
while :; do  # PID 1 adopts orphans; a shell that waits for one child reaps all of them
  sleep infinity &
  wait $!
done
"""
SSHD = """\
Include /etc/ssh/sshd_config.d/*.conf
HostKey /etc/ssh/host_key
AuthorizedKeysFile .ssh/authorized_keys /etc/ssh/lab_keys
PermitRootLogin prohibit-password
PasswordAuthentication no
KbdInteractiveAuthentication no
UsePAM yes
UseDNS no
PrintMotd no
Subsystem sftp /usr/lib/openssh/sftp-server
"""
SLOW_SSHD = """\
AuthorizedKeysFile none
AuthorizedKeysCommand /usr/local/sbin/multiall-lab-slow %h
AuthorizedKeysCommandUser root
"""
SLOW_LOOKUP = """\
#!/bin/sh
sleep {seconds:g}
cat "$1/.ssh/authorized_keys" /etc/ssh/lab_keys 2>/dev/null || :  # a user may have none
"""
"""As if a busy directory server looked up the keys: every login waits."""
SMALL_MARIADB = """\
[mariadbd]
innodb_log_file_size=8M
innodb_buffer_pool_size=16M
key_buffer_size=1M
aria_pagecache_buffer_size=8M
"""
"""Saves 122 MB of disk per host."""
RESOLV = "nameserver 127.0.0.1\noptions timeout:1 attempts:1\n"
"""Refuses at once: the machine's resolver is unreachable from a lab, and each name would cost 20 s."""
MASKED = (
    "console-getty.service",
    "getty@.service",
    "systemd-udevd.service",
    "systemd-remount-fs.service",
    "systemd-modules-load.service",
    "systemd-timesyncd.service",
    "systemd-resolved.service",
    "systemd-networkd.service",
    "networking.service",
    "dev-hugepages.mount",
)
"""Units of systemd for hardware, or for a network that the lab sets up itself."""
ENVIRONMENT = {
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "HOME": "/root",
    "LANG": "C.UTF-8",
    "TERM": "dumb",
    "container": "multiall-lab",
}
