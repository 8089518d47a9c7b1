"""The log of a tracked run: everything that it logs and writes is reported to the server, with the task that it belongs to."""

from __future__ import annotations

import logging
import math
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from pathlib import Path

from appliance.config import RunLogSettings
from appliance.core.logs import ROOT, RunContextFilter, message_of
from appliance.core.run_context import TaskRunContext, current_task_run
from appliance.engine.log_intake import Levels, intake
from appliance.engine.output import streams
from appliance.engine.tracked import records
from appliance.engine.tracked.child_output import ChildOutput, programs_write_to
from appliance.engine.tracked.last_lines import LastLines
from appliance.engine.tracked.log_limit import LogLimit
from appliance.engine.tracked.output_files import OutputFiles
from appliance.engine.tracked.reporter import Reporter
from appliance.kit import clock
from appliance.kit.logs import PlainFormatter

_READ_EVERY = 0.1
"""Seconds between two looks at what child processes have written."""
_JUST_NOW = 0.001
"""Seconds after which a task that starts looks again: usually another has just ended, and that took a look."""
_OURS = str(Path(__file__).parents[2])
_TaskKey = tuple[str, int]


class RunLog:
    """Takes records and lines from any thread. Lines of child processes belong to the task that runs, if it is the only one."""

    def __init__(self, reporter: Reporter, settings: RunLogSettings) -> None:
        self.logs_output = settings.run_log_stdout
        """Does the output of tasks that don't say it themselves go to the log?"""
        self._reporter = reporter
        self._limit = LogLimit(settings.run_log_rate, settings.run_log_bytes)
        self._limiting, self._reading, self._opening = threading.Lock(), threading.Lock(), threading.Lock()
        self._context, self._formatter = RunContextFilter(), PlainFormatter()
        self._running: dict[_TaskKey, tuple[TaskRunContext, bool]] = {}
        self._files: OutputFiles | None = None
        self._children: ChildOutput | None = None
        self._read_at = 0.0
        self._looked_at = -math.inf
        self._sink = streams.logged(streams.BOTH if self.logs_output else ())
        self._last: LastLines | None = None

    def take(self, record: logging.LogRecord) -> None:
        """Report a record, unless there are too many. The engine's own are always reported."""
        output = hasattr(record, "stream")
        if (output or not record.pathname.startswith(_OURS)) and self.drops(record.msg):
            return
        self._context.filter(record)
        if streams.in_forked_child():
            print(self._formatter.format(record), file=sys.stderr)  # noqa: T201 - the parent reads it from there
            return
        if self._reading.acquire(blocking=False):  # what children wrote until now comes first
            self._read(at=records.time_of(record).timestamp())
        message = message_of(record)
        at, level, task = records.time_of(record), records.level_of(record), records.task_of(record)
        with self._limiting:
            self._limit.add(len(message))
            self._report_gap()
            self._reporter.log(at, level, str(record.name), message, *task)
        if self._last is not None:
            self._last.add(message if output else self._line(record, message))

    def task_starts(self, run: TaskRunContext, logs_output: bool) -> None:
        """From now on, child processes may write for this task, too."""
        if clock.monotonic() - self._looked_at > _JUST_NOW and not self._is_quiet():
            self._read_all()
        self._running[run.task_slug, run.map_index] = run, logs_output

    def task_ends(self, task_slug: str, map_index: int) -> None:
        """What child processes have written for the task is complete."""
        if self._running:
            key = task_slug, map_index
            if not self._is_quiet():
                self._read_all(end_lines=len(self._running) == 1, ended=key)
            self._running.pop(key, None)
            self._looked_at = clock.monotonic()

    def finish(self) -> None:
        """Report everything that has been written so far, with or without the end of a line."""
        self._sink.close()
        self._read_all(end_lines=True)
        with self._limiting:
            self._report_gap()

    def drops(self, text: object) -> bool:
        """Is the limit reached? Then one message, or all lines of the data, count as dropped."""
        with self._limiting:
            reached = self._limit.reached()
            if reached:
                lines = text.count(b"\n") if isinstance(text, bytes) else 1
                self._limit.drop(lines, len(text) if isinstance(text, str | bytes) else 0)
            return reached

    @contextmanager
    def process(self, directory: Path) -> Iterator[None]:
        """Inside the block, all that this process and its children write belongs to the run, and logging is as Python starts it."""
        root, over = logging.getLogger(), threading.Event()
        before = root.handlers[:], root.level
        root.handlers[:] = []
        root.setLevel(logging.WARNING)
        self._last = LastLines()
        self._files = OutputFiles(directory, self._on_line, self.drops)
        self._files.open()
        self._children = ChildOutput(directory, self.drops)
        reader = threading.Thread(target=self._watch, args=(over,), name="appliance-output", daemon=True)
        reader.start()
        try:
            with streams.capture_process(self._sink, self.drops), programs_write_to(self._descriptors):
                yield
        finally:
            over.set()
            reader.join()
            self.finish()
            self._children.close()
            self._files.close()
            self._last.close()
            self._children = self._files = self._last = None
            root.handlers[:], root.level = before

    def _watch(self, over: threading.Event) -> None:
        while not over.wait(_READ_EVERY):
            if not self._is_quiet():
                self._read_all()

    def _descriptors(self) -> dict[str, int]:
        """Where a program that this thread starts writes, if another task could be writing to the process's files, too."""
        run = current_task_run.get()
        one = None if run is None else self._running.get((run.task_slug, run.map_index))
        if one is None or len(self._running) < 2 or self._children is None:
            return {}
        with self._opening, suppress(OSError):  # too many files: the lines then belong to no task
            return self._children.of((one[0].task_slug, one[0].map_index), partial(self._log_line, *one))
        return {}

    def _read_all(self, end_lines: bool = False, ended: _TaskKey | None = None) -> None:
        if self._files is not None:
            self._reading.acquire()
            self._read(end_lines, ended)

    def _is_quiet(self) -> bool:
        """Has everything been read and logged, as before and after nearly every task? Another thread may be logging what it has read,
        so the lock comes last."""
        files, children = self._files, self._children
        if files is None or children is None:
            return True
        return files.is_quiet() and children.is_quiet() and not self._reading.locked()

    def _read(self, end_lines: bool = False, ended: _TaskKey | None = None, at: float | None = None) -> None:
        """Read the files. The caller has acquired `_reading`."""
        self._read_at = clock.now().timestamp() if at is None else at
        try:
            if self._files is not None:
                self._files.read()
                self._read_children(ended)
                if end_lines:
                    self._files.end_lines()
        finally:
            self._reading.release()

    def _read_children(self, ended: _TaskKey | None) -> None:
        if self._children is not None:
            self._children.read()
            if ended is not None:
                self._children.end(ended)

    def _on_line(self, stream: str, line: str) -> None:
        owners = list(self._running.values())
        run, logs_output = owners[0] if len(owners) == 1 else (None, self.logs_output)
        self._log_line(run, logs_output, stream, line)

    def _log_line(self, run: TaskRunContext | None, logs_output: bool, stream: str, line: str) -> None:
        if logs_output:
            name, slug, index = (None, None, -1) if run is None else (run.task_name, run.task_slug, run.map_index)
            streams.log_line(stream, line, name, task_slug=slug, map_index=index, created=self._read_at)

    def _report_gap(self) -> None:
        gap = self._limit.gap()
        if gap is not None:
            self._reporter.log(clock.now(), logging.WARNING, ROOT, gap, None, -1)

    def _line(self, record: logging.LogRecord, message: str) -> str:
        plain = logging.LogRecord(record.name, record.levelno, "", 0, message, None, None)
        plain.created = records.time_of(record).timestamp()
        return self._formatter.format(plain)


@contextmanager
def reported(
    reporter: Reporter, settings: RunLogSettings | None = None, directory: Path | None = None
) -> Iterator[RunLog]:
    """Inside the block, report the records of all loggers; with a directory for files, also what the whole process writes."""
    settings = settings or RunLogSettings()
    log = RunLog(reporter, settings)
    with ExitStack() as stack:
        stack.enter_context(intake(_levels(settings), log.take))
        if directory is not None:
            stack.enter_context(log.process(directory))
        yield log
        log.finish()


def _levels(settings: RunLogSettings) -> Levels:
    names = logging.getLevelNamesMapping()
    level = names[settings.run_log_level] if settings.run_log_level else None
    return Levels(level or logging.INFO, level or logging.WARNING, settings.logger_levels)
