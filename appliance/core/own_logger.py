"""The logger that a task and a flow have as an attribute, made when something is logged: until then nobody needs `logging`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import logging


class OwnLogger:
    """An attribute: the run's logger named after its owner. An owner may set another one."""

    def __get__(self, owner: Any, _cls: type) -> logging.Logger:
        from appliance.core.logs import get_logger

        return get_logger(getattr(owner, "name", None))
