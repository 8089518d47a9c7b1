"""Runs flows. It knows no server; `engine.tracked` adds that by subclassing the runners."""
