"""Data formats that members and the admin host both read and write. Pure: no I/O."""
