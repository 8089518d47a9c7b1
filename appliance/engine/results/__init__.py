"""Backends that store the results of tasks. Each implements the contract of `core.results` for one kind of place."""
