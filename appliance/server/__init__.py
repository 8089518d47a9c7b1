"""The server: records what happened, decides what may happen, and never runs user code."""

from appliance.kit.distribution import require_server

require_server()
