"""Events: the outbox, and their delivery to everything that waits for them."""
