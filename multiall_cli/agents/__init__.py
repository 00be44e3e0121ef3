"""The sync agents, one package each. No agent imports another."""
