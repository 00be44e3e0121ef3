"""Zones on name servers: queries, transfers, updates and zone files."""
