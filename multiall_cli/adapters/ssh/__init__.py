"""Sessions over SSH: host keys always checked, the server's own login, shared connections."""
