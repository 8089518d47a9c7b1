"""Templates: what they fill in, and that they reach nothing else."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from appliance.core.flow import Flow
from appliance.tasks.library.errors import MissingArgument, Refused
from appliance.tasks.templates import JinjaTemplate, StringFormatter


def test_format_strings() -> None:
    assert StringFormatter("{name}: {count:,}").run(name="a", count=12345) == "a: 12,345"
    assert (
        StringFormatter().run(
            template="{row[key]} {at.year}", row={"key": 1}, at=__import__("datetime").date(2026, 1, 2)
        )
        == "1 2026"
    )
    with pytest.raises(MissingArgument, match="StringFormatter has no template"):
        StringFormatter().run(x=1)


def test_the_arguments_of_a_call_may_be_results() -> None:
    with Flow("f") as flow:
        inner = StringFormatter("{x}", name="inner")(x=1)
        outer = JinjaTemplate("<{{ a }}>", name="outer")(a=inner)
    assert flow.run(progress=False).result[outer].result == "<1>"


@pytest.mark.parametrize("template", ["{missing}", "{x.__class__}", "{x[__a]}", "{x.nothing}", "{", "{x:d}", "{0}"])
def test_format_strings_that_are_refused(template: str) -> None:
    with pytest.raises(Refused, match="The template"):
        StringFormatter(template).run(x="text")


def test_jinja_templates_of_texts_and_files(tmp_path: Path) -> None:
    (tmp_path / "t.html").write_text("<b>{{ x }}</b>\n")
    assert JinjaTemplate("{% for n in rows %}{{ n }};{% endfor %}").run(rows=[1, 2]) == "1;2;"
    assert JinjaTemplate(path=tmp_path / "t.html", autoescape=True).run(x="<i>") == "<b>&lt;i&gt;</b>\n"
    with pytest.raises(Refused, match="can't be read: No such file"):
        JinjaTemplate(path=tmp_path / "missing").run()


@pytest.mark.parametrize(
    "template",
    [
        *(
            "{{ missing }}",
            "{{ x.__class__.__mro__ }}",
            "{{ rows.append(1) }}",
            "{% for",
            "{{ ''.__init__ }}",
        ),
        *("{% include '/etc/passwd' %}", "{{ range(10 ** 9) }}"),
    ],
)
def test_jinja_templates_that_are_refused(template: str) -> None:
    rows: list[Any] = []
    with pytest.raises(Refused, match="template"):
        JinjaTemplate(template).run(x="text", rows=rows)
    assert rows == []
