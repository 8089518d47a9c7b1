"""Where and how runs of a flow are started. To import from, as in `from appliance.run_configs import ...`."""

from appliance.core.container_runs import DockerRun, KubernetesRun
from appliance.core.run_config import LocalRun, ProcessRun, UniversalRun

__all__ = ["DockerRun", "KubernetesRun", "LocalRun", "ProcessRun", "UniversalRun"]
