"""Texts from templates: Python's format strings, and Jinja in a sandbox."""

from __future__ import annotations

import string
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Unpack

from appliance.tasks.catalogue import require

require("templates")

from appliance.tasks.library.arguments import needed  # noqa: E402 - says what to install
from appliance.tasks.library.errors import Refused, first_line  # noqa: E402
from appliance.tasks.library.task import LibraryTask, TaskOptions  # noqa: E402

__all__ = ["JinjaTemplate", "StringFormatter"]


class StringFormatter(LibraryTask):
    """Fills in a format string such as `"{name}: {count:,}"` with the arguments of the call. The result is the text."""

    def __init__(self, template: str | None = None, **options: Unpack[TaskOptions]) -> None:
        """Takes the options of Task, too."""
        super().__init__(**options)
        self.template = template

    def run(self, template: str | None = None, **values: Any) -> str:
        """Raises Refused for a name without a value, and for names that begin with an underscore."""
        text = needed(self, "template", self.template if template is None else template)
        try:
            return _Formatter().vformat(text, (), values)
        except (KeyError, IndexError) as error:
            raise Refused(f"The template has a name without a value: {error}.") from None
        except (ValueError, AttributeError, TypeError) as error:
            raise Refused(f"The template can't be filled in: {first_line(error)}.") from None


class JinjaTemplate(LibraryTask):
    """Fills in a Jinja template, a text or a file, with the arguments of the call. The result is the text.

    Templates run in a sandbox: they can't reach what Python keeps inside of values, nor change values. A name without a value fails the task.
    With `autoescape`, values are escaped for HTML.
    """

    def __init__(
        self,
        template: str | None = None,
        path: str | Path | None = None,
        autoescape: bool = False,
        **options: Unpack[TaskOptions],
    ) -> None:
        """Takes the options of Task, too."""
        super().__init__(**options)
        self.template, self.path, self.autoescape = template, path, autoescape

    def run(self, template: str | None = None, **values: Any) -> str:
        """Raises Refused."""
        import jinja2
        from jinja2.sandbox import ImmutableSandboxedEnvironment

        text = self.template if template is None else template
        if text is None and self.path is not None:
            try:
                text = Path(self.path).read_text(encoding="utf-8")
            except OSError as error:
                raise Refused(f"The template {str(self.path)!r} can't be read: {error.strerror}.") from None
        environment = ImmutableSandboxedEnvironment(
            undefined=jinja2.StrictUndefined, autoescape=self.autoescape, keep_trailing_newline=True
        )
        try:
            return environment.from_string(needed(self, "template", text)).render(**values)
        except jinja2.TemplateSyntaxError as error:
            raise Refused(f"The template is not valid in line {error.lineno}: {first_line(error)}.") from None
        except (
            jinja2.TemplateError,
            ArithmeticError,
            LookupError,
            TypeError,
            ValueError,
        ) as error:  # also what the sandbox forbids
            raise Refused(f"The template can't be filled in: {first_line(error)}.") from None


class _Formatter(string.Formatter):
    """Without access to what Python keeps inside of values, such as `{name.__class__}`."""

    def get_field(self, field_name: str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
        if any(part.startswith("_") for part in field_name.replace("[", ".").split(".")):
            raise ValueError(f"{field_name!r} begins with an underscore")
        return super().get_field(field_name, args, kwargs)
