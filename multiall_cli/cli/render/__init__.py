"""Turns answers into what is printed. The only room that imports rich."""
