"""A site on disk: its files read with their places, checked whole, imported and begun."""
