"""Secrets in flows. To import from, as in `from appliance.secrets import ...`."""

from appliance.core.secrets import EnvVarSecret, Secret, SecretTask

__all__ = ["EnvVarSecret", "Secret", "SecretTask"]
