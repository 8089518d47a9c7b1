"""What a flow may ask to have installed: names with pins, and nothing that leads an installer elsewhere."""

from __future__ import annotations

import pytest

from appliance.kit import clock
from appliance.protocol import environments
from appliance.protocol.environments import constraint_of, lines_of, pin_of, python_problem, requirements_problem

DIGEST = "a" * 64


@pytest.mark.parametrize(
    "line",
    [
        "pandas==2.2.3",
        "a==1",
        "Zope.Interface == 7.0.post1",
        "torch==2.4.0+cpu",
        "epoch==1!2.0",
        "uvicorn[standard,h2]==0.30",
        'tzdata==2026.1 ; python_version < "3.13" and (sys_platform == \'linux\' or os_name != "nt")',
        f"pandas==2.2.3 --hash=sha256:{DIGEST} --hash=sha512:{DIGEST * 2}",
        f"pandas==2.2.3 ; python_version > '3' --hash=sha256:{DIGEST}",
    ],
)
def test_a_name_with_a_pin_is_taken(line: str) -> None:
    assert requirements_problem([line]) == ""


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("pandas", "write a name and a version"),
        ("pandas>=2", "write a name and a version"),
        ("pandas==2.*", "write a name and a version"),
        ("pandas===2", "write a name and a version"),
        ("", "write a name and a version"),
        ("--index-url http://evil.test/simple", "it is an option"),
        ("-i http://evil.test/simple", "it is an option"),
        ("--extra-index-url=http://evil.test", "it is an option"),
        ("-e .", "it is an option"),
        ("-r /etc/passwd", "it is an option"),
        ("--find-links=/tmp", "it is an option"),
        (f"--hash=sha256:{DIGEST}", "it is an option"),
        ("pandas @ http://evil.test/pandas.whl", "an address or a path"),
        ("pandas@file:///tmp/pandas.whl", "an address or a path"),
        ("git+https://evil.test/x.git", "an address or a path"),
        ("./pandas.whl", "an address or a path"),
        ("/tmp/pandas==1", "an address or a path"),
        ("pandas==1 --index-url=http:evil", "the only option"),
        ("pandas==1 --config-settings=x", "the only option"),
        ("pandas==1 --hash=md5:" + "a" * 32, "the only option"),
        ("pandas==1\n--index-url http:evil", "line breaks"),
        ("pandas==1\r-e .", "line breaks"),
        (f"pandas==1 --hash=sha256:{DIGEST}\n", "line breaks"),
        (" pandas==1", "line breaks"),
        ("pandas==1 # comment", "write a name and a version"),
        ("${TOKEN}==1", "write a name and a version"),
        ("pandas==1 ; python_version < '3' # -e .", "write a name and a version"),
        ("pаndas==1", "write a name and a version"),
    ],
)
def test_what_could_lead_elsewhere_is_refused(line: str, reason: str) -> None:
    problem = requirements_problem([line])
    assert reason in problem and problem.startswith("A requirement can't be ") and "\n" not in problem


def test_all_have_hashes_or_none() -> None:
    hashed = f"a==1 --hash=sha256:{DIGEST}"
    assert requirements_problem([hashed, hashed]) == ""
    assert "'b==1' has no hash" in requirements_problem([hashed, "b==1"])


def test_lists_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "more than 500" in requirements_problem(["a==1"] * 501)
    monkeypatch.setattr(environments, "LONGEST_REQUIREMENTS", 7)
    assert requirements_problem(["a==1"]) == "" and "7 characters" in requirements_problem(["a==1"] * 2)


def test_a_long_line_takes_no_time() -> None:
    started = clock.monotonic()
    for tail in (
        "[" + "a," * 50_000,
        "==1" + "." * 100_000,
        "==1 ;" + "(" * 100_000,
        "==1" + " --hash=sha256:" * 9_000,
    ):
        assert requirements_problem(["a" + tail])
    assert clock.monotonic() - started < 5


def test_a_lock_file_is_read_without_its_comments() -> None:
    text = f"""
# made by a tool
pandas==2.2.3 ; python_version >= "3.11" \\
    --hash=sha256:{DIGEST} \\
    --hash=sha256:{"b" * 64}
    # via shop
numpy==2.0  # for pandas

six==1.17
"""
    lines = lines_of(text)
    assert lines == [
        f'pandas==2.2.3 ; python_version >= "3.11" --hash=sha256:{DIGEST} --hash=sha256:{"b" * 64}',
        "numpy==2.0",
        "six==1.17",
    ]
    assert constraint_of(lines[0]) == 'pandas==2.2.3 ; python_version >= "3.11"'
    assert requirements_problem(lines_of("--index-url http://evil.test\na==1")) != ""


def test_pins_are_read() -> None:
    assert pin_of("Zope.Interface[test] == 7.0") == ("zope-interface", "7.0")
    with pytest.raises(ValueError, match="not a requirement"):
        pin_of("x")


@pytest.mark.parametrize("python", [None, "3.11", "3.99", "/opt/python/bin/python3.13"])
def test_a_python_is_a_version_or_a_path(python: str | None) -> None:
    assert python_problem(python) == ""


@pytest.mark.parametrize(
    "python",
    ["3.10", "2.7", "3.12.1", "python3.12", "-c", "", "bin/python", "/opt/../bin/sh", "/a\nb", "/" + "a" * 2000],
)
def test_other_pythons_are_refused(python: str) -> None:
    problem = python_problem(python)
    assert problem and "\n" not in problem
