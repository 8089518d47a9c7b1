"""Statements that change rows or lock them, called by actions inside their transactions."""
