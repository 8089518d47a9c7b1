"""Statements that change rows, called by actions inside their transaction."""
