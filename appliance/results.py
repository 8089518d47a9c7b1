"""Where results are stored. To import from, as in `from appliance.results import ...`."""

from appliance.core.results import Result
from appliance.engine.results.addresses import result_from_url
from appliance.engine.results.appliance import ApplianceResult
from appliance.engine.results.local import LocalResult
from appliance.engine.results.memory import MemoryResult
from appliance.engine.results.object_stores import AzureResult, GCSResult, S3Result
from appliance.engine.results.sftp import SFTPResult

__all__ = [
    "ApplianceResult",
    "AzureResult",
    "GCSResult",
    "LocalResult",
    "MemoryResult",
    "Result",
    "S3Result",
    "SFTPResult",
    "result_from_url",
]
