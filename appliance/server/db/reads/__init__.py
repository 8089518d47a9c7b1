"""Bounded, indexed questions to the database, one noun a file. Lists are keyset pages: never an offset, never without a limit."""
