"""Agents under test take code from wherever tests write it."""

from __future__ import annotations

from appliance.agents.roots import Roots

ANYWHERE = Roots(("/",))
