"""The only way to talk to a server: a transport, one module per noun, one tree of errors."""
