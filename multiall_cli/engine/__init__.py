"""Orchestration of work over members. Imports ports only, never adapters."""
