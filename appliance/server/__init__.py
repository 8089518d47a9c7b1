"""The server: records what happened, decides what may happen, and never runs user code."""
