"""The loops that never end."""
