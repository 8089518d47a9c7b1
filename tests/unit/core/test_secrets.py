"""Case 98: where secrets come from, that they stay out of everything a run keeps or shows, and what masking does not cover."""

from __future__ import annotations

import base64
import json
import logging
import urllib.parse
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from appliance.core import masking, secrets, served_secrets, signals, states
from appliance.core.cache_validators import all_inputs
from appliance.core.context import context
from appliance.core.errors import FlowBuildError, SecretError, TaskDefinitionError
from appliance.core.flow import Flow
from appliance.core.logs import get_logger
from appliance.core.parameter import Parameter
from appliance.core.secrets import EnvVarSecret, Secret, SecretTask
from appliance.core.serialize import serialize
from appliance.core.states import State
from appliance.core.task_decorator import task
from appliance.engine.executors.executor import Executor
from appliance.engine.executors.local import LocalExecutor
from appliance.engine.executors.processes import ProcessExecutor
from appliance.engine.executors.threads import ThreadExecutor
from appliance.engine.results.local import LocalResult
from appliance.engine.results.memory import MemoryResult
from appliance.engine.run import run_flow

VALUE = "p4ss'w\"ö rd/+\\x"
Make = Callable[[], Executor]
everywhere = pytest.mark.parametrize(
    "make",
    [LocalExecutor, lambda: ThreadExecutor(2), lambda: ProcessExecutor(2)],
    ids=["local", "threads", "processes"],
)


@pytest.fixture(autouse=True)
def nothing_hidden(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """As in a fresh process."""
    monkeypatch.setattr(masking, "_values", ())
    monkeypatch.setattr(masking, "_forms", ())
    yield


def reading(body: Callable[[], Any], make: Make = LocalExecutor, **options: Any) -> State:
    """The state of a task that runs `body`."""
    with Flow("secretive") as flow:
        found = task(body, name="reader", **options)()
    return run_flow(flow, executor=make()).result[found]


# --- where they come from


@everywhere
def test_case_98_from_the_context_before_the_environment(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("APPLIANCE_SECRET_KEY", "from the environment")
    with Flow("f") as flow:
        found = task(lambda: (Secret("KEY").get(), Secret("key").get()), name="reader")()
    state = run_flow(flow, executor=make(), context={"secrets": {"KEY": "from the context"}})
    assert state.result[found].result == ("from the context", "from the environment")


@pytest.mark.parametrize("content", ["plain", "of\nlines", "trailing\n", "x" * 1_000_000, '{"a": 1}'])
def test_case_98_from_a_file_whose_last_line_end_does_not_count(
    content: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "secret"
    file.write_text(content)
    monkeypatch.setenv("APPLIANCE_SECRET_KEY_FILE", str(file))
    assert reading(lambda: Secret("KEY").get()).result == content.rstrip("\n")


def test_secrets_in_files_become_variables_for_a_process_without_these_files(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder/db-password").write_text("of the folder\n")
    (tmp_path / "key").write_text("of a file\n")
    environ = {
        "APPLIANCE_SECRET_DOOR": "plain",
        "APPLIANCE_SECRET_KEY_FILE": str(tmp_path / "key"),
        "APPLIANCE_SECRETS_DIR": str(tmp_path / "folder"),
        "APPLIANCE_TOKEN": "the agent's own",
    }
    assert secrets.contents(environ) == {
        "APPLIANCE_SECRET_DOOR": "plain",
        "APPLIANCE_SECRET_KEY": "of a file",
        "APPLIANCE_SECRET_DB_PASSWORD": "of the folder",
    }


def test_case_98_a_missing_secret_says_where_to_put_it() -> None:
    state = reading(lambda: Secret("NOWHERE").get())
    assert type(state) is states.Failed
    assert state.message == (
        "SecretError: Secret 'NOWHERE' was not found in the secrets of the run's context, APPLIANCE_SECRET_NOWHERE, "
        "APPLIANCE_SECRET_NOWHERE_FILE, and the folder that APPLIANCE_SECRETS_DIR names; set one of them. "
        "The server gives its secrets only to runs under an agent."
    )


def test_case_98_an_unreadable_file_and_two_sources_are_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("APPLIANCE_SECRET_KEY_FILE", str(tmp_path))
    with pytest.raises(SecretError, match="APPLIANCE_SECRET_KEY_FILE names a file that can't be read"):
        Secret("KEY").get()
    monkeypatch.setenv("APPLIANCE_SECRET_KEY", "too")
    with pytest.raises(SecretError, match="are both set; keep one"):
        Secret("KEY").get()


def test_case_98_an_empty_secret_is_a_value_and_masks_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("APPLIANCE_SECRET_KEY", "")
    assert Secret("KEY").get() == ""
    assert masking.mask("any text") == "any text"


@pytest.mark.parametrize(
    ("text", "value"), [('{"user": "u", "pass": "w0rd!"}', {"user": "u", "pass": "w0rd!"}), ("42", 42)]
)
def test_case_98_json_only_on_request(text: str, value: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("APPLIANCE_SECRET_KEY", text)
    assert Secret("KEY").get() == text
    assert Secret("KEY").get(as_json=True) == value
    assert masking.mask("its w0rd!") == ("its ***" if isinstance(value, dict) else "its w0rd!")


def test_case_98_text_that_is_no_json_is_not_shown_in_the_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("APPLIANCE_SECRET_KEY", VALUE)
    with pytest.raises(SecretError, match="is not valid JSON") as caught:
        Secret("KEY").get(as_json=True)
    assert VALUE not in str(caught.value)


def test_a_key_that_occurs_twice_in_a_json_secret_is_refused_and_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("APPLIANCE_SECRET_KEY", '{"hunter2": 1, "hunter2": 2}')
    with pytest.raises(SecretError, match="has the same key twice in one JSON object; remove one") as caught:
        Secret("KEY").get(as_json=True)
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize("name", ["", "a b", "ä", "A=B", 5])
def test_case_98_impossible_names_are_refused(name: Any) -> None:
    with pytest.raises(SecretError, match="is not a valid name of a secret"):
        Secret(name)


def test_case_98_reading_while_building_a_flow_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("APPLIANCE_SECRET_KEY", VALUE)
    with Flow("f"), pytest.raises(FlowBuildError, match="inside a task"):
        Secret("KEY").get()


# --- as tasks


@everywhere
def test_case_98_secret_tasks_feed_others_and_are_masked_there(
    make: Make, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("APPLIANCE_SECRET_KEY", '{"token": "s3cr3t-value"}')
    monkeypatch.setenv("PLAIN", "other-secret")

    @task(log_stdout=True)
    def use(key: dict[str, str], plain: str, missing: Any) -> int:
        print("using", key["token"], plain, missing)
        raise ValueError(f"{plain} was refused")

    with Flow("f") as flow:
        used = use(SecretTask("KEY", as_json=True), EnvVarSecret("PLAIN"), EnvVarSecret("NOT_SET"))
    with caplog.at_level(logging.DEBUG, "appliance.run"):
        state = run_flow(flow, executor=make()).result[used]
    assert state.message == "ValueError: *** was refused"
    assert "using *** *** None" in caplog.text
    assert "s3cr3t-value" not in caplog.text + repr(state.data)
    assert "other-secret" not in caplog.text + repr(state.data)


def test_case_98_a_required_variable_that_is_not_set_fails() -> None:
    with Flow("f") as flow:
        found = EnvVarSecret("NOT_SET_AT_ALL", raise_if_missing=True)()
    state = run_flow(flow).result[found]
    assert state.message == "SecretError: Environment variable NOT_SET_AT_ALL is not set; set it where the run starts."


def test_case_98_secrets_are_never_stored(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("APPLIANCE_SECRET_KEY", VALUE)
    monkeypatch.setenv("APPLIANCE_CHECKPOINTING", "1")
    with Flow("f") as flow:
        secret = SecretTask("KEY", checkpoint=True)()
        length = task(lambda x: len(x), name="length")(secret)
    flow.result = LocalResult(tmp_path)
    final = run_flow(flow)
    assert final.result[length].result == len(VALUE)
    files = [path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()]
    assert files, "the other task's result is stored"
    assert not any(VALUE.encode() in content for content in files)
    assert "result_location" not in final.result[secret].data


@pytest.mark.parametrize("options", [{"cache_for": timedelta(1)}, {"target": "key"}, {"result": MemoryResult()}])
@pytest.mark.parametrize("make", [SecretTask, EnvVarSecret])
def test_case_98_a_secret_can_not_be_cached_or_written(make: Any, options: dict[str, Any]) -> None:
    with pytest.raises(TaskDefinitionError, match="a secret is never stored"):
        make("KEY", **options)


def test_case_98_cache_records_of_what_uses_a_secret_do_not_hold_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("APPLIANCE_SECRET_KEY", VALUE)
    with Flow("f") as flow:
        task(lambda x: len(x), name="length", cache_for=timedelta(1), cache_validator=all_inputs)(SecretTask("KEY"))
    flow.result = LocalResult(tmp_path)
    assert run_flow(flow).is_successful()
    files = [path.read_text("utf-8", "replace") for path in tmp_path.rglob("*") if path.is_file()]
    assert len(files) >= 2, "a result and its cache record"
    assert not any(traces(content, VALUE) for content in files)


def test_case_98_names_of_task_runs_are_masked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("APPLIANCE_SECRET_KEY", VALUE)
    with Flow("f") as flow:
        named = task(lambda key: context.task_run_name, name="named", task_run_name="run with {key}")(SecretTask("KEY"))
    assert run_flow(flow).result[named].result == "run with ***"


def test_case_98_secrets_are_read_again_in_every_attempt(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("APPLIANCE_SECRET_KEY", "new value")
    with Flow("f") as flow:
        secret = SecretTask("KEY")()
        seen = task(lambda x: x, name="seen")(secret)
    earlier = {("KEY-1", -1): states.Success("of an earlier attempt")}
    assert run_flow(flow, task_states=earlier).result[seen].result == "new value"


# --- what is masked

FORMS: dict[str, Callable[[str], str]] = {
    "plain": str,
    "repr": repr,
    "repr in a list": lambda value: repr([value]),
    "JSON": json.dumps,
    "JSON as it is written": lambda value: json.dumps(value, ensure_ascii=False),
    "URL": lambda value: urllib.parse.quote(value),
    "URL, all of it": lambda value: urllib.parse.quote(value, safe=""),
    "form": lambda value: urllib.parse.urlencode({"key": value}),
    "base64": lambda value: base64.b64encode(value.encode()).decode(),
    "base64 for URLs": lambda value: base64.urlsafe_b64encode(value.encode()).decode(),
    "basic authentication": lambda value: base64.b64encode(f"user:{value}".encode()).decode(),
    "base64 one further": lambda value: base64.b64encode(f"users:{value}:x".encode()).decode(),
    "base64 two further": lambda value: base64.b64encode(f"userss:{value}".encode()).decode(),
}
VALUES = {
    "awkward": VALUE,
    "simple": "correct-horse-42",
    "lines": "-----BEGIN KEY-----\nabcdefghijkl\n-----END KEY-----",
    "JSON": '{"user": "someone", "password": "n0body-knows"}',
    "1 MB": "secret" * 170_000,
}


def traces(text: str, value: str) -> list[str]:
    """What of the value, in any of its forms, still shows."""
    return [form for form in masking.forms(value) if form in text and len(form) > 3]


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("value", VALUES.values(), ids=VALUES)
def test_case_98_printed_forms_are_masked(value: str, form: str) -> None:
    masking.hide(value)
    text = masking.mask(f"before {FORMS[form](value)} after")
    assert "***" in text
    assert text.startswith("before ")
    assert text.endswith(" after")
    assert not traces(text, value)
    assert len(text) < 80


@everywhere
@pytest.mark.parametrize("value", [VALUE, VALUES["lines"]], ids=["awkward", "lines"])
def test_case_98_nothing_a_run_shows_holds_the_secret(
    value: str, make: Make, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("APPLIANCE_SECRET_KEY", value)

    def leak() -> None:
        secret = Secret("KEY").get()
        print(secret, repr(secret), json.dumps(secret))
        context.logger.info("as argument %s and %r", secret, {"x": secret})
        try:
            raise ValueError(secret)
        except ValueError:
            context.logger.exception("with a traceback")
        raise RuntimeError(f"failed with {secret} and {base64.b64encode(secret.encode()).decode()}")

    with caplog.at_level(logging.DEBUG, "appliance.run"):
        state = reading(leak, make, log_stdout=True)
    shown = "\n".join([caplog.text, str(state.message), *state.data.values(), str(state.to_wire())])
    assert "with a traceback" in shown
    assert state.message.startswith("RuntimeError: failed with *** and ***")
    assert not traces(shown, value)


@pytest.mark.parametrize("make_signal", [signals.FAIL, signals.SKIP, signals.PAUSE, signals.VALIDATIONFAIL])
def test_case_98_messages_of_signals_are_masked(make_signal: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("APPLIANCE_SECRET_KEY", VALUE)

    def leak() -> None:
        raise make_signal(f"because of {Secret('KEY').get()}")

    state = reading(leak)
    assert state.message == "because of ***"
    assert VALUE not in str(state.to_wire())


def test_case_98_a_secret_is_masked_before_its_text_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("APPLIANCE_SECRET_KEY", value := "0123456789abcdef" * 2000)

    def leak() -> None:
        raise ValueError(Secret("KEY").get())

    state = reading(leak)
    assert state.message == "ValueError: ***"
    assert value[:16] not in state.data["traceback"]


def test_case_98_messages_of_the_flow_and_of_its_handlers_are_masked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("APPLIANCE_SECRET_KEY", VALUE)

    def terminal(_flow: Any, _state: State, _keys: Any) -> State:
        return states.Failed(f"it was {Secret('KEY').get()}")

    flow = Flow("f", tasks=[Parameter("n", default=1)], terminal_state_handler=terminal)
    assert run_flow(flow).message == "it was ***"


def test_case_98_the_longer_of_two_secrets_is_masked_whole() -> None:
    masking.hide("token", "token-with-more")
    assert masking.mask("a token-with-more and a token") == "a *** and a ***"


# --- what is not masked


@pytest.mark.parametrize(
    "shown",
    [
        "correct-\nhorse-42",
        "24-esroh-tcerroc",
        "CORRECT-HORSE-42",
        "correct-horse-4 2",
        b"correct-horse".hex(),
    ],
    ids=["split over two lines", "reversed", "capitals", "with a blank", "hexadecimal"],
)
def test_case_98_what_is_transformed_is_not_masked(shown: str) -> None:
    masking.hide("correct-horse-42")
    assert masking.mask(shown) == shown


def test_case_98_short_values_are_not_masked() -> None:
    masking.hide("abc", "1234")
    assert masking.mask("abc 1234") == "abc ***"


def test_case_98_results_logger_extras_and_other_loggers_are_not_masked(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("APPLIANCE_SECRET_KEY", "correct-horse-42")

    def leak() -> str:
        secret = Secret("KEY").get()
        logging.getLogger("a.library").warning("its own logger: %s", secret)
        print("printed without log_stdout:", secret)
        return str(secret)

    state = reading(leak)
    assert state.result == "correct-horse-42"
    assert "its own logger: correct-horse-42" in caplog.text
    assert "printed without log_stdout: correct-horse-42" in capsys.readouterr().out


# --- and what it costs


def test_masking_touches_nothing_while_no_secret_was_read(caplog: pytest.LogCaptureFixture) -> None:
    state = states.Success("message", data={"a": "b"})
    assert masking.mask_state(state) is state
    logger = get_logger("untouched")
    arguments = ("x",)
    with caplog.at_level(logging.INFO, "appliance.run"):
        logger.info("%s", *arguments)
    assert caplog.records[-1].msg == "%s"
    assert caplog.records[-1].args == arguments


def test_a_masked_state_keeps_all_the_rest() -> None:
    masking.hide("correct-horse-42")
    state = states.Retrying(
        "correct-horse-42", 5, {"task_run_count": 2}, {"deep": [{"x": "correct-horse-42"}]}, run_count=2
    )
    shown = masking.mask_state(state)
    assert (type(shown), shown.message, shown.data) == (states.Retrying, "***", {"deep": [{"x": "***"}]})
    assert (shown.result, shown.context, shown.start_time, shown.run_count) == (5, state.context, state.start_time, 2)


# --- from the folder, and from the server


def test_the_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("APPLIANCE_SECRETS_DIR", str(tmp_path))
    (tmp_path / "DOOR").write_text(f"{VALUE}\n")
    assert reading(lambda: Secret("DOOR").get()).result == VALUE
    (tmp_path / "BAD").write_bytes(b"\xff")
    refused = reading(lambda: Secret("BAD").get()).message
    assert refused is not None and "can't be read: it is not text in UTF-8" in refused and str(tmp_path) not in refused
    monkeypatch.setenv("APPLIANCE_SECRET_DOOR", "the environment comes first")
    assert reading(lambda: Secret("DOOR").get()).result == "the environment comes first"


def test_every_secret_in_the_folder_is_masked(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "UNREAD").write_text("never read by any task")
    (tmp_path / "..data").mkdir()  # as Kubernetes has it
    secrets.hide_all({"APPLIANCE_SECRETS_DIR": str(tmp_path)})
    assert masking.mask("it is never read by any task.") == "it is ***."


class Server:
    """The server's side: what it gives, and what it was asked for."""

    def __init__(self, **values: str) -> None:
        self.values, self.asked = values, list[str]()

    def ask(self, name: str) -> str:
        self.asked.append(name)
        if name not in self.values:
            raise SecretError(f"There is no {name}.")
        return self.values[name]


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> Server:
    server = Server(DOOR=VALUE, OTHER="another value")
    for name in ("ask", "declared", "known"):
        monkeypatch.setattr(served_secrets._Source, name, getattr(served_secrets._Source, name))
    served_secrets.connect(server.ask, ["DOOR", "OTHER", "GONE"])
    return server


@everywhere
def test_the_server_comes_last_and_is_asked_once(served: Server, make: Make, caplog: pytest.LogCaptureFixture) -> None:
    def read() -> str:
        value = Secret("DOOR").get()
        get_logger().warning("the word is %s", value)
        return value + Secret("DOOR").get()

    with Flow("secretive") as flow:
        found = [task(read, name=f"reader {n}")() for n in range(3)]
    state = run_flow(flow, executor=make())
    assert [state.result[one].result for one in found] == [VALUE * 2] * 3
    assert served.asked.count("DOOR") == 1
    assert VALUE not in caplog.text and "the word is ***" in caplog.text


@everywhere
def test_the_environment_is_asked_before_the_server(
    served: Server, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("APPLIANCE_SECRET_DOOR", "from the environment")
    assert reading(lambda: Secret("DOOR").get(), make).result == "from the environment"
    assert "DOOR" not in served.asked


@everywhere
def test_why_the_server_gives_none(served: Server, make: Make) -> None:
    refused = reading(lambda: Secret("GONE").get(), make).message
    assert refused is not None and "The server: There is no GONE. It also isn't in" in refused
    served.values["GONE"] = "set meanwhile"
    assert reading(lambda: Secret("GONE").get(), make).result == "set meanwhile"


def test_a_worker_has_what_the_flow_declares(served: Server) -> None:
    refused = reading(lambda: Secret("UNDECLARED").get(), lambda: ProcessExecutor(1)).message
    assert refused is not None and "doesn't declare it" in refused
    assert "UNDECLARED" not in served.asked


@everywhere
def test_threads_of_a_task_read_secrets_too(served: Server, make: Make) -> None:
    def read() -> str:
        with ThreadPoolExecutor(1) as pool:
            return pool.submit(lambda: Secret("DOOR").get()).result()

    assert reading(read, make).result == VALUE


@everywhere
def test_a_name_that_only_the_run_knows(served: Server, make: Make) -> None:
    with Flow("secretive", secrets=["DOOR"]) as flow:
        found = SecretTask()(name=Parameter("which"))
    state = run_flow(flow, parameters={"which": "DOOR"}, executor=make())
    assert state.result[found].result == VALUE


# --- declaring them


def test_what_a_flow_declares() -> None:
    with Flow("secretive", secrets=["A", Secret("B")]) as flow:
        task(lambda word: word, name="user", secrets=["C", "A"])(SecretTask("D-E"))
    assert secrets.declared_by(flow) == ("A", "B", "C", "D-E")
    assert serialize(flow)["secrets"] == ["A", "B", "C", "D-E"]
    assert "secrets" not in serialize(Flow("none"))
    with Flow("whole") as whole:
        whole.update(flow)
    assert secrets.declared_by(whole) == ("A", "B", "C", "D-E")


@pytest.mark.parametrize(
    ("names", "error"), [("A", TypeError), ([1], TypeError), (["a b"], SecretError), (["1"], SecretError)]
)
def test_names_that_can_not_be_declared(names: Any, error: type[Exception]) -> None:
    with pytest.raises(error, match="secret"):
        Flow("secretive", secrets=names)
    with pytest.raises(error, match="secret"):
        task(lambda: None, name="reader", secrets=names)


def test_a_task_without_a_name_says_so() -> None:
    with Flow("secretive") as flow:
        found = SecretTask()()
    assert "no name of a secret" in str(run_flow(flow).result[found].message)
