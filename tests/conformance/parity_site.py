"""The flows of the parity suite in the one file that an agent's runs import; their worlds are in the folder PARITY_WORLDS."""

from __future__ import annotations

import os
from pathlib import Path

from tests.conformance.parity_suite import CASES
from tests.conformance.world import World

for _name, (_build, _restarts) in CASES.items():
    _flow = _build(World(Path(os.environ["PARITY_WORLDS"]) / _name))
    _flow.name = _name
    globals()[_name] = _flow
