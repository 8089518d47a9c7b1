"""Images of flows without an engine: what they are built from, what is refused, and what is said when the engine fails."""

from __future__ import annotations

import hashlib
import io
import json
import sys
import tarfile
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx2
import pytest

from appliance.client.transport import Transport
from appliance.core.errors import FlowBuildError
from appliance.kit.version import VERSION
from appliance.packaging import image_archive, image_uses
from appliance.packaging.choices import chosen
from appliance.packaging.discover import flows_in
from appliance.packaging.docker import Docker, DockerStorage, ProjectImage, share
from appliance.packaging.docker_engine import EngineAway, EngineRefused
from appliance.packaging.dockerignore import Ignored
from appliance.packaging.image_archive import BadImage
from appliance.packaging.image_build import Builder
from appliance.packaging.image_check import MARK, answers
from appliance.packaging.image_engine import ImageEngine, LocalImage
from appliance.packaging.image_recipe import CONTENT, FLOWS, PROJECT
from appliance.packaging.image_uses import Uses, reason_to_keep
from appliance.protocol import storage as storages

BASE = f"sha256:{'b' * 64}"
FLOW = "from appliance import Flow\nfrom img_shop import helper\nflow = Flow('{}')\n"


class FakeEngine(ImageEngine):
    """Has a base image, builds everything, and answers for every flow, unless `fails` has an error for a call."""

    def __init__(self) -> None:
        self.known: dict[str, dict[str, Any]] = {"base:1": {"Id": BASE, "Config": {"User": "app"}}}
        self.fails: dict[str, Exception] = {}
        self.answers: dict[str, str] = {}
        self.calls: list[str] = []

    def _note(self, call: str) -> None:
        self.calls.append(call)
        if call in self.fails:
            raise self.fails[call]

    def image(self, name: str) -> dict[str, Any] | None:
        self._note("image")
        return self.known.get(name)

    def pull(self, name: str, *_: Any) -> None:
        self._note("pull")

    def build(self, context: Any, arguments: Mapping[str, str], network: str | None, hear: Any) -> str:
        self.arguments, self.network = dict(arguments), network
        with tarfile.open(fileobj=context) as archive:
            self.context = {one.name: archive.extractfile(one).read() for one in archive}  # type: ignore[union-attr]
        hear("Step 1/2 : FROM scratch")
        hear("last words")
        self._note("build")
        return f"sha256:{'1' * 64}"

    def run(self, image: str, command: Any, files: bytes) -> tuple[int, list[str]]:
        self._note("run")
        with tarfile.open(fileobj=io.BytesIO(files)) as archive:
            documents = json.load(archive.extractfile("var/lib/appliance-check/documents.json"))  # type: ignore[arg-type]
        names = ["SDK", *(one["flow"] for one in documents)]
        return 0, ["said", *(f"{MARK}{json.dumps([name, self.answers.get(name, '')])}" for name in names)]

    def tag(self, image: str, name: str) -> None:
        self._note("tag")
        content = self.context["Dockerfile"].decode().partition(f'{CONTENT}="')[2][:64]
        self.known[name] = {"Id": image, "Config": {"Labels": {CONTENT: content}}}

    def push(self, name: str, hear: Any) -> str:
        self._note("push")
        return f"sha256:{'d' * 64}"

    def remove_image(self, name: str) -> None:
        self._note("remove_image")


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "project"
    (folder / "img_shop").mkdir(parents=True)
    (folder / "pyproject.toml").write_text("[project]\nname = 'shop'\n")
    (folder / "img_shop/__init__.py").touch()
    (folder / "img_shop/helper.py").write_text("PRICE = 3\n")
    for name in ("day", "night"):
        (folder / f"img_shop/{name}.py").write_text(FLOW.format(name))
    return folder


def images_of(project: Path, engine: FakeEngine, options: Docker, name: str = "Finance & Co") -> list[ProjectImage]:
    images = share([options.at(local) for _, local in flows_in(project)], name)
    for image in images:
        image._builder = Builder(engine)
    return images


def test_flows_of_a_project_are_in_one_image_whose_tag_follows_from_its_content(project: Path) -> None:
    engine, options = FakeEngine(), Docker("base:1", registry="reg.example:5000/team", tag="v1")
    [image] = images_of(project, engine, options)
    name = image.recipe.name
    assert name.startswith("reg.example:5000/team/finance-co:v1-") and len(name.rpartition("-")[2]) == 12
    assert image.flows[0].describe()["id"] == f"sha256:{image.recipe.content}", "made up until it is built"
    said: list[str] = []
    image.build(said.append)
    assert {"Step 1/2: FROM scratch", f"Pushing {name}."} <= set(said)
    assert {"flows/img_shop/day.py", "flows/img_shop/night.py", "flows/img_shop/helper.py"} < set(engine.context)
    documents = [flow.describe() for flow in image.flows]
    for document in documents:
        code = storages.decode(document)
        assert (document["id"], document["digest"]) == (f"sha256:{'1' * 64}", f"sha256:{'d' * 64}")
        assert code.pinned == f"reg.example:5000/team/finance-co@sha256:{'d' * 64}"  # type: ignore[union-attr]
    [again] = images_of(project, engine, options)
    again.build(said.append)
    assert engine.calls.count("build") == 1 and [flow.describe() for flow in again.flows] == documents
    (project / "img_shop/helper.py").write_text("PRICE = 4\n")
    [changed] = images_of(project, engine, options)
    assert changed.recipe.name != name
    others = [Docker("base:1", env={"A": "1"}), Docker("base:1", commands=["RUN true"]), Docker("base:1")]
    assert len({image.recipe.content for other in others for image in images_of(project, engine, other)}) == 3


def test_the_dockerfile_has_what_the_author_says_and_nothing_else(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("APPLIANCE_URL", "http://127.0.0.1:4200")
    (project / "data/cache").mkdir(parents=True)
    (project / "data/rates.csv").write_text("1")
    (project / "data/cache/old.csv").write_text("2")
    (project / "more.lock").write_text("# comment\nsix==1.17.0\n")
    (project / ".dockerignore").write_text("data/cache\n**/night.py\n")
    engine = FakeEngine()
    said = {
        "base_image": "base:1",
        "requirements": ["attrs == 25.1.0"],
        "lock": "more.lock",
        "env": {"GREETING": 'a "b" $c'},
    }
    options = chosen({"type": "docker", "files": {"data": "/data"}, "commands": ["RUN useradd etl"], **said})
    (project / "img_shop/night.py").unlink()
    [image] = images_of(project, engine, options)
    image.build(print)
    pip = "RUN PIP_BREAK_SYSTEM_PACKAGES=1 python3 -m pip install --no-cache-dir --disable-pip-version-check --only-binary :all:"
    lines = image.recipe.dockerfile.splitlines()
    assert lines[:6] == [
        "# base:1",
        f"FROM {BASE}",
        "USER root",
        'ENV GREETING="a \\"b\\" \\$c"',
        "ARG PIP_INDEX_URL",
        "ARG PIP_TRUSTED_HOST",
    ]
    assert lines[6].endswith(f"appliance-flows=={VERSION}") and lines[6].startswith("RUN python3 -c 'import appliance'")
    requirements = "/opt/appliance/requirements.txt"
    assert lines[7:9] == [f"COPY requirements.txt {requirements}", f"{pip} -r {requirements}"]
    assert lines[9:12] == ["COPY files/ /", "RUN useradd etl", "COPY flows/ /opt/appliance/flows/"]
    assert lines[12].startswith('LABEL appliance.project="Finance & Co" appliance.flows="{\\"day\\": ')
    assert lines[13:] == [f'LABEL {CONTENT}="{image.recipe.content}"', "USER app"]
    assert engine.context["requirements.txt"] == b"attrs == 25.1.0\nsix==1.17.0\n"
    assert [name for name in engine.context if name.startswith("files")] == ["files/data/rates.csv"]
    assert engine.arguments == {"PIP_INDEX_URL": "http://127.0.0.1:4200/simple", "PIP_TRUSTED_HOST": "127.0.0.1"}
    assert engine.network == "host", "a build reaches this machine's loopback in no other way"
    (project / ".dockerignore").write_text("img_shop\n")
    with pytest.raises(FlowBuildError, match=r"\.dockerignore keeps img_shop/day\.py out of the image"):
        images_of(project, engine, options)


@pytest.mark.parametrize(
    ("patterns", "out", "kept"),
    [
        ("data/*.tmp\n!data/keep.tmp", ["data/a.tmp"], ["data/keep.tmp", "data/b/c.tmp", "a.tmp"]),
        ("**/__pycache__\n*.log", ["__pycache__/x", "a/b/__pycache__/x.pyc", "x.log"], ["a/x.log"]),
        ("# secret\n/secret/\n", ["secret/a/b", "secret"], ["a/secret", "secrets"]),
        ("*\n!src", ["a", "b/c"], ["src/a.py", "src"]),
        ("a?.[ch]\na/**/z", ["ab.c", "a/z", "a/b/c/z"], ["ab.o", "a.c"]),
    ],
)
def test_what_a_dockerignore_leaves_out(patterns: str, out: list[str], kept: list[str]) -> None:
    ignored = Ignored(patterns.splitlines())
    assert [path for path in out if path not in ignored] == [] and [path for path in kept if path in ignored] == []


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"base_image": "two words"}, "must be the name of an image"),
        ({"name": "Shop"}, "in lower case"),
        ({"registry": "http://reg.example"}, "must form the name of an image"),
        ({"tag": "a/b"}, "must form the name of an image"),
        ({"env": {"APPLIANCE_TOKEN": "x"}}, "can't set APPLIANCE_TOKEN"),
        ({"env": {"A": "1\nRUN evil"}}, "one line each"),
        ({"requirements": ["six"]}, "A requirement can't be 'six'"),
        ({"files": {"data": "data"}}, "absolute path in the image"),
        ({"index": "https://ada:word@host/simple"}, "leave passwords and tokens out"),
        ({"commands": ["RUN curl https://ada:word@host/x"]}, "leave passwords and tokens out"),
    ],
)
def test_options_of_another_form_are_refused(options: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        Docker(**{"base_image": "base:1", **options})


@pytest.mark.parametrize(
    ("call", "error", "sentence"),
    [
        (
            "image",
            EngineAway("The Docker engine can't be reached: No such file."),
            "The Docker engine can't be reached: No such",
        ),
        ("build", EngineRefused("The command failed.", 500), "could not be built: The command failed.\n    last words"),
        ("build", EngineRefused("Write /x: no space left on device.", 500), "Free space on the engine's disk"),
        ("run", EngineRefused("It did not end within 600 s.", 504), "could not be checked: It did not end"),
        (
            "push",
            EngineRefused("Denied: requested access.", 500),
            "could not be pushed: .* Sign in with `docker login`",
        ),
        ("push", EngineRefused("Dial tcp: connection refused.", 500), "Check the registry's address"),
    ],
)
def test_what_the_engine_refuses_is_said_in_a_sentence(
    project: Path, call: str, error: Exception, sentence: str
) -> None:
    engine = FakeEngine()
    engine.fails[call] = error
    [image] = images_of(project, engine, Docker("base:1", registry="reg.example"))
    with pytest.raises(FlowBuildError, match=sentence):
        image.build(print)
    assert ("remove_image" in engine.calls) == (call == "run"), "what was built and isn't used goes"


def test_an_image_counts_only_if_each_flow_is_right_in_it(project: Path) -> None:
    engine = FakeEngine()
    engine.answers["night"] = "The file img_shop/helper.py of flow 'night' has changed since it was registered."
    [image] = images_of(project, engine, Docker("base:1"))
    with pytest.raises(FlowBuildError, match=r"Flow 'night' can't be run in the image: The file .*\n    said$"):
        image.build(print)
    assert engine.calls[-1] == "remove_image" and "tag" not in engine.calls
    with pytest.raises(FlowBuildError, match="Base image none:1 is not on this machine, and could not be pulled"):
        engine.fails["pull"] = EngineRefused("No such host.", 500)
        _ = images_of(project, engine, Docker("none:1"))[0].recipe


def archive_of(labels: dict[str, str], names: list[str], config_name: str = "") -> io.BytesIO:
    config = json.dumps({"config": {"Labels": labels}}).encode()
    place = config_name or f"{hashlib.sha256(config).hexdigest()}.json"
    manifest = json.dumps([{"Config": place, "RepoTags": names, "Layers": []}]).encode()
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w") as archive:
        for name, content in ((place, config), ("manifest.json", manifest)):
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    target.seek(0)
    return target


LABELS = {CONTENT: "c" * 64, PROJECT: "finance", FLOWS: '{"day": "1"}'}
NAMED = [f"finance:{'c' * 12}"]


@pytest.mark.parametrize(
    ("file", "sentence"),
    [
        (io.BytesIO(b"no archive"), "not an image of flows"),
        (io.BytesIO(archive_of(LABELS, NAMED).getvalue()[:700]), "not an image of flows, or it was cut off"),
        (archive_of({}, NAMED), "not an image of flows"),
        (archive_of(LABELS | {FLOWS: "[1]"}, NAMED), "not an image of flows"),
        (archive_of(LABELS, NAMED, "0.json"), "damaged"),
        (archive_of(LABELS, ["etl:3"]), "names that flows are not given"),
        (archive_of(LABELS, [*NAMED, "etl:3"]), "names that flows are not given"),
    ],
)
def test_nothing_is_loaded_but_an_image_of_flows_under_its_own_name(file: io.BytesIO, sentence: str) -> None:
    assert image_archive.look(archive_of(LABELS, NAMED)).flows == ["day"]
    with pytest.raises(BadImage, match=sentence):
        image_archive.look(file)


@pytest.mark.parametrize(
    ("uses", "has_container", "reason"),
    [
        (Uses([], is_known=True), False, ""),
        (Uses(["finance/day 3"], is_known=True), False, ""),
        (Uses(["finance/day 3"], ["finance/day 3"], is_known=True), False, "needed by finance/day 3"),
        (Uses([], is_known=False), False, "its project is not on this server"),
        (Uses([], is_known=True), True, "a container has it"),
    ],
)
def test_which_images_are_kept(uses: Uses, has_container: bool, reason: str) -> None:
    image = LocalImage(BASE, tuple(NAMED), LABELS, 1, datetime.now(UTC))
    assert reason_to_keep(image, uses, has_container) == reason


@pytest.mark.parametrize(("keep", "open_runs", "needed"), [
    (1, [0, 0, 0], [3]), (2, [0, 0, 0], [3, 2]), (1, [0, 0, 2], [3, 1]), (1, [0, None, 0], [3, 2]),
], ids=["the newest", "some more", "what runs need", "what an earlier server doesn't say"])  # fmt: skip
def test_images_of_old_versions_are_not_needed(keep: int, open_runs: list[int | None], needed: list[int]) -> None:
    ids = {number: f"sha256:{number:064}" for number in (3, 2, 1)}
    versions = [{"number": 3 - index, "image_id": ids[3 - index]} for index in range(3)]
    for version, count in zip(versions, open_runs, strict=True):
        version |= {} if count is None else {"open_runs": count}

    def answer(request: httpx2.Request) -> httpx2.Response:
        project = {"name": "finance", "id": str(UUID(int=1)), "description": "", "archived": False, "flows": 1}
        known = {"projects": [project | {"created": "2026-01-01T00:00:00Z"}], "versions": versions}
        items = known.get(request.url.path.rpartition("/")[2], [{"id": str(UUID(int=2)), "name": "day"}])
        is_archive = "archived" in request.url.params
        return httpx2.Response(200, json={"items": [] if is_archive else items})

    http = httpx2.Client(transport=httpx2.MockTransport(answer), base_url="http://appliance.test")
    labels = {PROJECT: "finance", FLOWS: json.dumps({"day": "0" * 64})}
    images = [LocalImage(id, (), labels, 1, datetime.now(UTC)) for id in ids.values()]
    uses = image_uses.of(Transport("http://appliance.test", "t", http), images, keep)
    kept = [number for number, id in ids.items() if reason_to_keep(images[0], uses[id], False)]
    assert kept == needed
    assert [uses[id].versions for id in ids.values()] == [[f"finance/day {number}"] for number in ids]
    assert open_runs[2] != 2 or uses[ids[1]].needed == ["finance/day 1 (2 runs not ended)"]


def test_a_flow_that_is_registered_alone_has_an_image_of_its_own(project: Path) -> None:
    places = [Docker("base:1").at(local) for _, local in flows_in(project)]
    assert isinstance(places[0], DockerStorage) and places[0].image is not places[1].image
    share(places, "p")
    assert places[0].image is places[1].image


def test_an_image_with_another_build_of_the_same_release_is_told_from_a_flow_that_fails(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "appliance.packaging.in_image", None)
    [(what, problem)] = answers(VERSION, [{"flow": "daily"}])
    assert what == "SDK" and f"another build of the appliance's SDK {VERSION}" in problem
