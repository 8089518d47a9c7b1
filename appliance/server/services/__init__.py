"""The background loops that never end."""
