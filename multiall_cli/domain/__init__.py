"""The words: what a site, a change and a run are. Standard library only, immutable, no I/O."""
