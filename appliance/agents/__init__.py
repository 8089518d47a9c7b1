"""Agents take runs that are due and start them."""
