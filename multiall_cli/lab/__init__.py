"""Pools of SSH servers on this machine: for anyone (`demo`), and with real hosts for root (`real`)."""

from multiall_cli.lab.demo.lab import DemoLab, persistent_labs

__all__ = ["DemoLab", "persistent_labs"]
