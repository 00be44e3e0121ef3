"""The zone agent (DNS-SA)."""

from multiall_cli.agents.zones.agent import ZoneAgent
from multiall_cli.agents.zones.item import OwnedRecords
from multiall_cli.agents.zones.session import Writer

__all__ = ["OwnedRecords", "Writer", "ZoneAgent"]
