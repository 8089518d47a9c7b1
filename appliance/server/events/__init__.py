"""What happened: the outbox, and its way to whoever waits for it."""
