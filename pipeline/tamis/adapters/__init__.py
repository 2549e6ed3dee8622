"""Doors for other systems: each is asked for by its extra, imports its library when it is used, and calls the conductor."""
