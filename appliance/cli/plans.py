"""What `appliance register` and `appliance deploy` have in common: a search that reports its progress, and plans in words and as JSON."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from appliance.cli.output import echo, print_json
from appliance.client.errors import ClientError, Conflict, Invalid
from appliance.client.transport import Transport
from appliance.core.errors import FlowBuildError
from appliance.core.flow_file import FlowFile
from appliance.kit.plurals import counted
from appliance.packaging import deployment
from appliance.packaging.deployment import Planned, Prepared
from appliance.packaging.discover import Search
from appliance.packaging.site_store import SiteStore
from appliance.protocol import storage as storages
from appliance.protocol.code_places import ModuleCode
from appliance.protocol.fetched_code import CodeTree, module_of
from appliance.protocol.flows import Registered, Registration
from appliance.protocol.run_config import said
from appliance.protocol.schedules import ScheduleNews
from appliance.schedules import describe

MANY = 10
"""From this many files on, a terminal shows which one is imported."""
_MARKS = {"added": "+", "removed": "-", "changed": "~", "turned off": "~", "kept": "=", "left deleted": "="}
_MOST_FILES = 20


def new_search() -> Search:
    """A search whose progress goes to stderr."""
    return Search(say=lambda sentence: echo(sentence, err=True), progress=_progress)


def store_of(transport: Transport, project: str) -> SiteStore:
    """The store of the server, which tells on stderr what happens."""
    return SiteStore(transport, project, lambda sentence: echo(sentence, err=True))


def build_images(ready: Sequence[Prepared], problems: list[str]) -> list[Prepared]:
    """The registrations whose images are built and checked. The steps go to stderr."""
    return deployment.built(ready, lambda sentence: echo(sentence, err=True), problems)


def print_problems(problems: Sequence[str]) -> None:
    """Each problem in a line of its own."""
    for problem in problems:
        echo(f"Error: {problem}", err=True)


def print_plan(plan: Planned) -> None:
    """What would happen to a flow, line by line."""
    request, preview = plan.prepared.request, plan.preview
    mark = "=" if not preview.created else "+" if preview.flow_id is None else "~"
    echo(f"{mark} {request.project}/{request.name}: {_version(plan)}")
    for line in [*(_content(plan) if preview.created else ()), *_schedules(plan)]:
        echo(f"    {line}")
    if plan.opens:
        echo(f"    the agent of this machine will take code from {plan.opens}")


def register_all(
    transport: Transport,
    ready: Sequence[Prepared],
    problems: list[str],
    json_output: bool,
    *,
    store: SiteStore,
    quiet: bool = False,
) -> None:
    """Register flow by flow and print each answer. What the server refuses is a problem; when it fails, what was done so far is said."""
    answers: list[dict[str, Any]] = []
    refusals: list[Exception] = []
    for one in ready:
        name = f"{one.request.project}/{one.request.name}"
        try:
            answer = deployment.send(transport, one, store)
        except FlowBuildError as error:
            problems.append(f"{name}: {error}")
            continue
        except (Invalid, Conflict) as error:
            refusals.append(error)
            problems.append(f"{name}: {error}")
            continue
        except ClientError:
            _say_how_far([answer["flow"] for answer in answers], len(ready))
            raise
        answers.append(answer_json(one.request, answer))
        if not json_output and not quiet:
            echo(f"{name}: {answer}")
    if refusals and not answers:
        raise refusals[0]
    if problems and not json_output:
        echo(f"{counted(len(answers), 'flow')} registered, {counted(len(problems), 'problem')}:", err=True)
    if json_output:
        print_json(answers)


def _say_how_far(names: Sequence[str], count: int) -> None:
    if names:
        echo(
            f"Registered {len(names)} of {counted(count, 'flow')} ({', '.join(names)}); run the command again for the rest.",
            err=True,
        )


def plan_json(plan: Planned) -> dict[str, Any]:
    """The same as data. Of environment variables, it has the names alone."""
    request, preview = plan.prepared.request, plan.preview
    config = request.document["run_config"]
    return {
        "flow": request.name,
        "project": request.project,
        "version": preview.version,
        "created": preview.created,
        "restores": preview.restores,
        "changes": preview.changes,
        "id": preview.flow_id,
        "path": request.storage.get("path"),
        "module": _module(request.storage),
        "files": list(request.storage.get("files", {})),
        "left_out": plan.prepared.left_out,
        "labels": request.labels,
        "parameters": request.document["parameters"],
        "secrets": request.document.get("secrets", []),
        "run_config": config | {"env": sorted(config.get("env", {}))},
        "declared_schedules": request.document["schedules"],
        "schedules": preview.schedules,
        "warnings": preview.warnings,
        "other_schedules": [{"id": one["id"], "description": one["description"]} for one in plan.others],
        "opens": plan.opens or None,
        "storage": request.storage.get("type"),
        "image": request.storage.get("image"),
        "sends": plan.upload,
    }


def answer_json(request: Registration, answer: Registered) -> dict[str, Any]:
    """What was done with a flow, as data."""
    return {
        "flow": request.name,
        "project": request.project,
        "version": answer.version,
        "created": answer.created,
        "restores": answer.restores,
        "changes": answer.changes,
        "id": answer.flow_id,
        "schedules": answer.schedules,
        "warnings": answer.warnings,
    }


def _progress(file: Path, number: int, count: int) -> None:
    if count >= MANY and sys.stderr.isatty():
        echo(f"Importing {number} of {count}: {file.name}", err=True)


def _version(plan: Planned) -> str:
    preview = plan.preview
    if not preview.created:
        return f"unchanged, version {preview.version}"
    restores = "" if preview.restores is None else f", restores version {preview.restores}"
    changes = f" ({'; '.join(preview.changes)})" if preview.changes else ""
    return f"{'new flow, ' if preview.flow_id is None else ''}version {preview.version}{restores}{changes}"


def _module(storage: dict[str, Any]) -> str | None:
    code = storages.decode(storage)
    if isinstance(code, ModuleCode):
        return code.module
    if isinstance(code, CodeTree):
        return module_of(code.path, code.module, code.files)
    return FlowFile.of(Path(code.path), code.module).name if code.path else None


def _content(plan: Planned) -> Iterator[str]:
    request = plan.prepared.request
    storage, document = request.storage, request.document
    files = list(storage.get("files", {}))
    if "path" in storage:
        yield f"file {storage['path']} as {_module(storage)}"
    if storage["type"] == "module":
        yield f"module {storage['module']} of {storage['distribution']} {storage['version']}"
    if files:
        more = f", and {counted(len(files) - _MOST_FILES, 'more file')}" if len(files) > _MOST_FILES else ""
        yield f"with {', '.join(files[:_MOST_FILES])}{more}"
    if storages.is_fetched(storage):
        yield f"code {_place(storage)}{f', {plan.upload:,} bytes to send' if plan.upload else ''}"
    if "image" in storage:
        in_image = plan.prepared.in_image
        yield f"image {storage['image']}{', to be built' if in_image is not None and not in_image.image.pin.id else ''}"
    for name, reason in plan.prepared.left_out.items():
        yield f"without {name}: {reason}"
    if request.labels:
        yield f"labels {', '.join(request.labels)}"
    if document["parameters"]:
        yield f"parameters {', '.join(map(_parameter, document['parameters']))}"
    if document.get("secrets"):
        yield f"secrets {', '.join(document['secrets'])}"
    config = document["run_config"]
    hidden = (
        "env",
        "labels",
        "working_dir",
        *(["type"] if config["type"] in ("universal", "local", "process") else ()),
    )
    parts = [f"{name} {_shown(value)}" for name, value in said(config).items() if name not in hidden]
    parts += [f"environment variables {', '.join(sorted(config['env']))}"] if config.get("env") else []
    parts += [f"working directory {config['working_dir']}"] if config.get("working_dir") else []
    if parts:
        yield f"run config: {'; '.join(parts)}"
    for warning in plan.preview.warnings:
        yield f"warning: {warning}"


def _place(storage: dict[str, Any]) -> str:
    if "url" in storage:
        commit = f", commit {storage['commit'][:12]}" if "commit" in storage else ""
        return f"at {storage['url']}{commit}"
    digest = f" {storage['digest'][:12]}" if "digest" in storage else ""
    return f"in {'sealed ' if storage.get('sealed') else ''}{storage['type']}{digest}"


def _shown(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name}={item}" for name, item in value.items())
    if isinstance(value, list):
        return ", ".join(_cut(str(item)) for item in value[:5]) + (
            f" and {len(value) - 5} more" if len(value) > 5 else ""
        )
    return str(value)


def _cut(text: str) -> str:
    return text if len(text) <= 60 else f"{text[:59]}…"


def _parameter(parameter: dict[str, Any]) -> str:
    if parameter["required"]:
        return f"{parameter['name']} (required)"
    value = json.dumps(parameter["default"])
    return f"{parameter['name']} = {_cut(value)}"


def _schedules(plan: Planned) -> Iterator[str]:
    for news in plan.preview.schedules:
        yield f'{_MARKS[news.outcome]} schedule "{news.description}"{_details(news)}'
    words = {news.description for news in plan.preview.schedules}
    for document in plan.prepared.request.document["schedules"]:
        if describe(document) not in words:
            yield f'= schedule "{describe(document)}"'
    for schedule in plan.others:
        yield f'= schedule "{schedule["description"]}" was made by a person and stays'


def _details(news: ScheduleNews) -> str:
    parts = [f"{item.field} from {json.dumps(item.before)} to {json.dumps(item.after)}" for item in news.changes]
    parts += [f"an operator's {item.field} stays" for item in news.edits if news.outcome != "removed"]
    parts += ["an operator deleted it; it stays deleted"] if news.outcome == "left deleted" else []
    parts += ["it stays paused"] if news.outcome == "kept" and not news.active else []
    return f": {'; '.join(parts)}" if parts else ""
