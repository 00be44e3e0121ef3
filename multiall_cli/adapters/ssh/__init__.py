"""Sessions over SSH: host keys always checked, the member's own login, one connection per session."""
