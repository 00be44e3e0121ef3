"""Data types of the trade: sites, changes, runs. Standard library only, immutable, no I/O."""
