"""Runs in a container of an image that was just built, as a file of its own: whether the SDK is the one that registers the flows, and whether each flow
is there with its files as they are here, and can be loaded. Each line that begins with the mark is an answer: a name, and what is wrong."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

MARK = "appliance-check: "


def answers(version: str, documents: list[dict[str, Any]]) -> Iterator[tuple[str, str]]:
    """The name of what was looked at, and what is wrong with it, in a sentence; empty if nothing is."""
    try:
        from appliance.kit.version import VERSION
    except ImportError as error:
        yield "SDK", f"The appliance's SDK can't be imported: {error}."
        return
    if version != VERSION:
        yield (
            "SDK",
            f"The image has version {VERSION} of the appliance's SDK, and the flows are registered with {version}.",
        )
        return
    try:
        from appliance.kit.errors import ApplianceError
        from appliance.packaging.in_image import InImage
    except ImportError as error:
        yield (
            "SDK",
            f"The image has another build of the appliance's SDK {VERSION} than the one that registers the flows ({error}).",
        )
        return
    yield "SDK", ""
    for document in documents:
        problem = InImage.problem(document)
        if not problem:
            try:
                InImage.load(document)
            except ApplianceError as error:
                problem = str(error)
        yield document["flow"], problem


def main(version: str, documents: Path) -> None:
    """Write an answer for the SDK, and for each flow."""
    for answer in answers(version, json.loads(documents.read_text(encoding="utf-8"))):
        sys.stdout.write(f"\n{MARK}{json.dumps(answer)}\n")


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
