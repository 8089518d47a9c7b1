"""Runs flows, without any knowledge of the server; `engine.tracked` adds that by subclassing the runners."""
