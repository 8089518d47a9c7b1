"""The flow of the second example project: it needs a package that only its agent installs, and a secret."""

from __future__ import annotations

from appliance import Flow, SecretTask, task

from .units import dozens


@task(log_stdout=True)
def levels(key: str) -> None:
    import tiny  # where the flow is deployed, nobody has it

    print(f"{dozens(36)} with tiny {tiny.VERSION} and a key of {len(key)} characters")


with Flow("levels") as flow:
    levels(SecretTask("STOCK_KEY"))
