"""Where the code of a flow is. To import from, as in `from appliance.storage import ...`."""

from appliance.packaging.bundle import Bundle
from appliance.packaging.site_store import Local

__all__ = ["Bundle", "Local"]
