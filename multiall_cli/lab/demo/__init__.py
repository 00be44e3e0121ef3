"""Servers that are child processes of this machine: no root, no sshd."""
