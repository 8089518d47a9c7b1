"""Where the code of a flow is. To import from, as in `from appliance.storage import ...`."""

from appliance.packaging.bundle import Bundle
from appliance.packaging.docker import Docker
from appliance.packaging.git import Git
from appliance.packaging.http import Http
from appliance.packaging.module import Module
from appliance.packaging.object_stores import ObjectStore
from appliance.packaging.sftp import Sftp
from appliance.packaging.site_store import Local

__all__ = ["Bundle", "Docker", "Git", "Http", "Local", "Module", "ObjectStore", "Sftp"]
