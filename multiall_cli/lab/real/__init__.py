"""Hosts with namespaces and disks of their own, and Debian's sshd: root, Linux."""
