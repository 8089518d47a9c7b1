"""Records the conversations of both protocols: run `python -m tests.compatibility.record` on a release.

With `--sentences` it accepts reworded text and refuses every other difference.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from tests.compatibility import exchange
from tests.compatibility.conversations import CONVERSATIONS, Speaker
from tests.compatibility.exchange import Exchange
from tests.compatibility.site import Recording, new_stage, site


def record(conversation: Callable[[Speaker], None]) -> list[Exchange]:
    """Hold a conversation with the app and return its exchanges."""
    with tempfile.TemporaryDirectory() as directory, new_stage() as stage, site(Path(directory)) as http:
        recording = Recording(http, stage)
        conversation(Speaker(recording, stage))
        return recording.exchanges


def main(arguments: list[str]) -> int:
    for name, conversation in CONVERSATIONS.items():
        exchanges = record(conversation)
        if "--sentences" in arguments and _bare(exchanges) != _bare(exchange.read(name)):
            print(f"{name} differs from its recording in more than sentences; nothing was written.", file=sys.stderr)
            return 1
        exchange.write(name, exchanges)
    return 0


def _bare(exchanges: list[Exchange]) -> list[Exchange]:
    return [exchange.without_sentences(one) for one in exchanges]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
