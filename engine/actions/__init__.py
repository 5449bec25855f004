"""What the engine does to the outside on behalf of gates, steps, drivers and plugins."""
