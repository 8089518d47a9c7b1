"""Branches in a flow, and the filter after a map. To import from, as in `from appliance.control_flow import ...`."""

from appliance.core.control import FilterTask, case, ifelse, merge, switch

__all__ = ["FilterTask", "case", "ifelse", "merge", "switch"]
