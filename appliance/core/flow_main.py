"""The main module in the process of a run, and in those that multiprocessing starts from it: it stands for the flow's file.

multiprocessing imports the main module of a process again in its children. This one makes the flow's file importable there.
"""

from __future__ import annotations

import os
from typing import Any

from appliance.core import flow_file

flow_file.adopt_from(os.environ)
del globals()["__file__"]  # so that it is the one of the flow


def __getattr__(name: str) -> Any:
    return flow_file.attribute(name)
