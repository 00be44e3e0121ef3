"""Pools of SSH servers on this machine: `demo` for everyone, `real` hosts for root."""

from multiall_cli.lab.demo.lab import DemoLab, persistent_labs

__all__ = ["DemoLab", "persistent_labs"]
