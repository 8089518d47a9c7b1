"""Agents take due runs and start them."""
