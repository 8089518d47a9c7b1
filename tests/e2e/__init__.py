"""Real processes, a real browser, a real Docker engine: the appliance as its users meet it."""
