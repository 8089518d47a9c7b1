"""Bounded, indexed queries, one noun a file. Lists are keyset pages: never an offset, never without a limit."""
