"""What runs on a member: standard library, Python 3.6 syntax, sent over SSH, never installed there."""
