"""Fact collectors: each reads one kind of fact on the member."""
