"""Where and how runs of a flow are started. To import from, as in `from appliance.run_configs import ...`."""

from appliance.core.run_config import LocalRun, ProcessRun, UniversalRun

__all__ = ["LocalRun", "ProcessRun", "UniversalRun"]
