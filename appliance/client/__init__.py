"""The only way to talk to a server: one module per noun over one transport."""
