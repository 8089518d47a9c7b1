"""The server: keeps what happened, decides what may happen, and never runs a user's code."""
