"""The sync agents, one room each; none knows another."""
