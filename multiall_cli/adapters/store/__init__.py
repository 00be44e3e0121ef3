"""The site's memory in one SQLite file, a module per part."""
