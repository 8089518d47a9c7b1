"""REST under /api/v1: what scripts, agents and runs call, and the gate that every request passes through."""

PREFIX = "/api/v1"
"""Each router has it, rather than one router around them all: Litestar would copy them with everything in them."""
