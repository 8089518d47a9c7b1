"""What tasks make for people to look at: texts, tables, links, images, progress, plots, pages, and files.

Under an agent, the appliance keeps them, by key with versions; elsewhere, each is a line in the log. Code of the run that an executor carries to
another process sends what it makes to the run's own process. What is wrong with an artifact is raised where it is made; that the appliance doesn't
take it is a warning in the log, because a run shouldn't fail for want of a report.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from appliance.core import masking
from appliance.core.errors import ArtifactError
from appliance.core.run_context import current_flow_run, current_task_run
from appliance.kit import clock
from appliance.kit.plurals import counted

Keep = Literal["run", "latest", "forever"]
_STEP, _OFTEN = 1.0, 1.0
"""Percent and seconds."""


@dataclass(frozen=True, slots=True)
class Artifact:
    """What code has made, and where in which run: the `number`th of its kind and key there."""

    kind: str
    content: bytes
    key: str | None
    title: str
    keep: str
    progress: float | None = None
    file_name: str | None = None
    flow_run_id: str | None = None
    flow_name: str = ""
    task_slug: str | None = None
    map_index: int = -1
    loop: int = 1
    number: int = 0

    def __str__(self) -> str:
        size = f"{self.progress:g} %" if self.progress is not None else counted(len(self.content), "byte")
        name = self.key or self.title or self.file_name
        return f"Artifact{f' {name!r}' if name else ''} ({self.kind}, {size})"


Take = Callable[[Artifact], None]


class _Connection:
    """Where this process, and none that it forks, brings the artifacts of its run."""

    take: Take | None = None
    pid = 0


elsewhere: ContextVar[tuple[int, Take] | None] = ContextVar("artifacts_elsewhere", default=None)
"""For code that came from another process: how to send artifacts there, and the process that may."""


def connect(take: Take | None) -> None:
    """From now on, bring artifacts there; None: only log them."""
    _Connection.take, _Connection.pid = take, os.getpid()


def markdown(text: str, *, key: str | None = None, title: str = "", keep: Keep = "run") -> None:
    """Make a text with Markdown in it."""
    _make("markdown", masking.mask(_text("markdown", text)).encode(), key, title, keep)


def table(
    rows: Any, *, columns: Sequence[str] | None = None, key: str | None = None, title: str = "", keep: Keep = "run"
) -> None:
    """Make a table of dicts, of sequences with the names of their `columns`, or of a DataFrame of pandas or polars."""
    from appliance.core import artifact_tables

    _make("table", artifact_tables.content(rows, columns), key, title, keep)


def link(url: str, *, key: str | None = None, title: str = "", keep: Keep = "run") -> None:
    """Make a link to a page, which has the title."""
    _make("link", masking.mask(_text("link", url)).encode(), key, title, keep)


def image(picture: Any, *, key: str | None = None, title: str = "", keep: Keep = "run") -> None:
    """Make an image of the bytes or the path of a PNG, JPEG, GIF, or WebP file, or of a figure of matplotlib."""
    if hasattr(picture, "savefig"):
        import io

        drawn = io.BytesIO()
        picture.savefig(drawn, format="png")
        picture = drawn.getvalue()
    _make("image", _bytes("image", picture), key, title, keep)


def progress(percent: float, *, key: str | None = None, title: str = "", keep: Keep = "run") -> None:
    """Say how far the task is, from 0 to 100. The same key and title again move the same bar, by whole percents or once a second."""
    from appliance.core.scalars import is_number

    if not is_number(percent):
        raise ArtifactError(f"Progress is a number from 0 to 100, not {type(percent).__name__}.")
    _make("progress", b"", key, title, keep, progress=float(percent))


def plot(spec: Any, *, key: str | None = None, title: str = "", keep: Keep = "run") -> None:
    """Make a plot of a Vega-Lite spec: a dict, its JSON, or a chart of Altair. Its data are in it."""
    import json

    if hasattr(spec, "to_dict"):
        spec = spec.to_dict()
    try:
        document = json.loads(spec) if isinstance(spec, str | bytes) else spec
        if not isinstance(document, Mapping):
            raise ArtifactError(f"A plot is a Vega-Lite spec, not {type(spec).__name__}.")
        text = json.dumps(masking.mask_document(document), allow_nan=False)
    except (TypeError, ValueError, RecursionError) as error:
        if isinstance(error, ArtifactError):
            raise
        raise ArtifactError(f"A plot must be a Vega-Lite spec in JSON: {error}.") from error
    _make("plot", text.encode(), key, title, keep)


def html(text: str, *, key: str | None = None, title: str = "", keep: Keep = "run") -> None:
    """Make a page of HTML. It is shown in a frame without scripts, and loads nothing: styles and images are in it."""
    _make("html", masking.mask(_text("html", text)).encode(), key, title, keep)


def file(content: Any, *, name: str | None = None, key: str | None = None, title: str = "", keep: Keep = "run") -> None:
    """Keep a file for downloading: its path, or its bytes and a name. Secrets in it are not masked."""
    if name is None and not isinstance(content, str | Path):
        raise ArtifactError("A file of bytes needs a name, as in artifacts.file(content, name='report.pdf').")
    _make("file", _bytes("file", content), key, title, keep, file_name=Path(content).name if name is None else name)


def _make(
    kind: str,
    content: bytes,
    key: str | None,
    title: str,
    keep: str,
    *,
    progress: float | None = None,
    file_name: str | None = None,
) -> None:
    from appliance.protocol import artifact_kinds as kinds
    from appliance.protocol.artifacts import MOST_BYTES

    if keep not in kinds.RETENTIONS:
        raise ArtifactError(f"keep must be one of {', '.join(map(repr, kinds.RETENTIONS))}, not {keep!r}.")
    if not isinstance(title, str) or not (key is None or isinstance(key, str)):
        raise ArtifactError("The key and the title of an artifact are texts.")
    problem = (
        kinds.key_problem(key, keep)
        or kinds.progress_problem(kind, progress)
        or (None if file_name is None else kinds.file_name_problem(file_name))
        or kinds.problem(kind, content)
    )
    if problem is None and len(content) > MOST_BYTES:
        problem = f"It has {len(content):,} bytes, and no appliance keeps more than {MOST_BYTES:,}; store it elsewhere."
    if problem:
        raise ArtifactError(problem)
    title = masking.mask(title)
    if progress is not None and not _has_moved(progress, key, title):
        return
    take(Artifact(kind, content, key, title, keep, progress, file_name, **_place(kind, key, title)))


def _place(kind: str, key: str | None, title: str) -> dict[str, Any]:
    """Where the calling code is, and how many artifacts of the kind and key this try of its task has made before."""
    task, flow = current_task_run.get(), current_flow_run.get()
    if task is not None:
        flow = task.flow_run
    if flow is None:
        return {}
    place: dict[str, Any] = {"flow_run_id": flow.flow_run_id, "flow_name": flow.flow_name}
    loop = 1
    if task is not None:
        loop = 1 if kind == "progress" else task.task_loop_count
        place |= {"task_slug": task.task_slug, "map_index": task.map_index, "loop": loop}
    made = _made()
    if kind != "progress" and made is not None:
        which = (kind, key, loop)
        made[which] = made.get(which, -1) + 1
        place["number"] = made[which]
    return place


def _has_moved(percent: float, key: str | None, title: str) -> bool:
    """Has the bar moved so far, or so long ago, that people should see it? Code may call it for each of a million rows."""
    made, bar, now = _made(), ("progress", key, title), clock.monotonic()
    if made is None:
        return True
    before, at = made.get(bar, (-_STEP, now))
    if abs(percent - before) < _STEP and now - at < _OFTEN and (percent != 100 or before == 100):
        return False
    made[bar] = percent, now
    return True


def _made() -> dict[Any, Any] | None:
    """What the calling code has made so far, in this try of its task or in the run; None outside of runs."""
    task, flow = current_task_run.get(), current_flow_run.get()
    if task is not None:
        return task.artifacts
    return None if flow is None else flow.artifacts


def take(artifact: Artifact) -> None:
    """Bring an artifact to where those of this run go."""
    from appliance.core.logs import get_logger

    run = current_task_run.get()
    logger = get_logger(None if run is None else run.task_name)
    pid, bring = elsewhere.get() or (_Connection.pid, _Connection.take)
    if bring is None:
        logger.info("%s, not kept without a server%s", artifact, _shown(artifact))
    elif pid == os.getpid():
        bring(artifact)
    else:
        logger.warning("%s was not stored: make it in the task, not in a process that the task starts.", artifact)


def _shown(artifact: Artifact) -> str:
    """What there is to read in a line."""
    if artifact.kind in ("link", "markdown"):
        first = next((line for line in artifact.content.decode().splitlines() if line.strip()), "")
        return f": {first[:200]}"
    return "."


def _text(kind: str, value: Any) -> str:
    if not isinstance(value, str):
        raise ArtifactError(f"artifacts.{kind}() takes a text, not {type(value).__name__}.")
    return value.encode("utf-8", "replace").decode()


def _bytes(kind: str, value: Any) -> bytes:
    if isinstance(value, bytes | bytearray | memoryview):
        return bytes(value)
    if not isinstance(value, str | Path):
        raise ArtifactError(f"artifacts.{kind}() takes bytes or a path, not {type(value).__name__}.")
    try:
        return Path(value).read_bytes()
    except OSError as error:
        raise ArtifactError(f"The file {str(value)!r} can't be read: {error.strerror or error}.") from error
