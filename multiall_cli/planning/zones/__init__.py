"""What zones are to hold: claims of pools, who is in, what changes, and what stops it."""
