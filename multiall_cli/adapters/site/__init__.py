"""A site on disk: reads its files with positions, checks them, imports other inventories, makes new sites."""
