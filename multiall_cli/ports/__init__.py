"""What the engine needs of the world, as protocols; adapters implement them. Import each from its own module."""
