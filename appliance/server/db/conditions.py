"""Conditions on flow runs that partial indexes serve: written out and not bound, since only so can the planner see that they do."""

from __future__ import annotations

from sqlalchemy import text

SCHEDULED_NOW = text("flow_run.state_type = 'SCHEDULED'")
LIVE_NOW = text("flow_run.state_type in ('PENDING', 'RUNNING', 'CANCELLING')")
