"""Planning of zones: claims of pools, members to publish, changes, and brakes."""
