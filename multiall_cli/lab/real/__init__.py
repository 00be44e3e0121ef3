"""Hosts with their own namespaces and disks, and Debian's sshd: root, Linux."""
