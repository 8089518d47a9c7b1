"""Backends that keep the results of tasks; each is the contract of `core.results` over one kind of place."""
