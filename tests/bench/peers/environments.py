"""The environments of the products that ours is compared with: one each, in a cache folder, made at the first use and not committed."""

from __future__ import annotations

import os
import subprocess
import venv
from pathlib import Path

CACHE = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "appliance-bench"
REQUIREMENTS = {
    "prefect3": ("prefect>=3,<4", "fastapi<0.129"),  # newer fastapi no longer takes an argument that Prefect 3.8 passes
    "prefect1": ("prefect==1.4.1", "marshmallow<4", "setuptools<81"),  # newer ones lack what prefect 1 imports
    "dbos": ("dbos>=3,<4",),
    "dask": ("distributed",),
}
_IMPORTED = {"prefect3": "prefect", "prefect1": "prefect", "dbos": "dbos", "dask": "distributed"}


def python_of(product: str) -> Path:
    """The Python of a product's environment."""
    home = CACHE / product
    python = home / "bin" / "python"
    if not python.exists():
        venv.create(home, with_pip=True)
    probe = [str(python), "-c", f"import {_IMPORTED[product]}"]
    if subprocess.run(probe, capture_output=True, check=False).returncode:
        print(f"installing {', '.join(REQUIREMENTS[product])} into {home}", flush=True)
        subprocess.run([str(python), "-m", "pip", "install", "--quiet", *REQUIREMENTS[product]], check=True)
    return python
