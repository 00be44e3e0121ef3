"""The Typer tree: parse, one Fleet call, render, exit code."""
