"""Emails: what arrives, over which connection, and what is said when a server rejects it."""

from __future__ import annotations

import email
import email.policy
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from appliance.core.secrets import Secret
from appliance.tasks.email import EmailTask
from appliance.tasks.library.errors import AccessDenied, ConnectionLost, MissingArgument, Refused, Unreachable
from tests.certificates import authority
from tests.conformance.task_servers import Mail

PASSWORD = "password-of-the-mail-test"


@pytest.fixture
def mail(monkeypatch: pytest.MonkeyPatch) -> Iterator[Mail]:
    monkeypatch.setenv("APPLIANCE_SECRET_EMAIL_USERNAME", "ada-of-the-mail-test")
    monkeypatch.setenv("APPLIANCE_SECRET_EMAIL_PASSWORD", PASSWORD)
    with closing(Mail("ada-of-the-mail-test", PASSWORD)) as mail:
        yield mail


def task(mail: Mail, **more: Any) -> EmailTask:
    plain: dict[str, Any] = {"smtp_type": "INSECURE", "smtp_server": "127.0.0.1", "smtp_port": mail.port}
    words = {"subject": "Grüße", "msg": "<b>hi</b>", "email_to": "b@example.org", "email_from": "Ada <a@example.org>"}
    return EmailTask(**{**words, **plain, **more})


def test_a_message_has_both_forms_and_its_attachments(mail: Mail, tmp_path: Path) -> None:
    (tmp_path / "table.csv").write_text("a,b")
    (tmp_path / "raw").write_bytes(b"\0\1")
    sent = task(mail, email_to_cc=["c@example.org"], email_to_bcc="d@example.org, e@example.org").run(
        msg_plain="hi", attachments=[tmp_path / "table.csv", str(tmp_path / "raw")]
    )
    assert sent["recipients"] == 4
    [taken] = mail.messages
    message = email.message_from_bytes(taken, policy=email.policy.default)
    assert (message["Subject"], message["To"], message["Cc"], message["Bcc"]) == (
        "Grüße",
        "b@example.org",
        "c@example.org",
        None,
    )
    assert message["Message-ID"] == sent["message_id"]
    parts = [(part.get_content_type(), part.get_filename()) for part in message.walk() if not part.is_multipart()]
    assert parts[:2] == [("text/plain", None), ("text/html", None)]
    assert parts[2:] == [("text/csv", "table.csv"), ("application/octet-stream", "raw")]


@pytest.mark.parametrize("kind", ["SSL", "STARTTLS"])
def test_tls_is_verified(mail: Mail, tmp_path: Path, kind: str) -> None:
    trusted, tls = authority(tmp_path, "127.0.0.1")
    with closing(Mail("ada-of-the-mail-test", PASSWORD, tls, starttls=kind == "STARTTLS")) as safe:
        assert task(safe, smtp_type=kind, ca_file=trusted).run()["recipients"] == 1
        with pytest.raises(Refused, match=r"certificate of 127.0.0.1:.* is not trusted"):
            task(safe, smtp_type=kind).run()
    with pytest.raises(Refused, match="STARTTLS extension not supported"):
        task(mail, smtp_type="STARTTLS").run()
    with pytest.raises(ValueError, match="smtp_type must be"):
        EmailTask(smtp_type="TLS")  # type: ignore[arg-type]


def test_what_a_server_rejects_is_a_sentence(mail: Mail) -> None:
    with pytest.raises(Refused, match=r"doesn't take the message: nobody@x.org \(550 no such user\)\.") as refused:
        task(mail, email_to="nobody@x.org").run()
    assert refused.value.code == 550
    with pytest.raises(Unreachable, match=r"later@x.org \(450 try later\)"):
        task(mail, email_to="later@x.org").run()
    assert mail.messages == []
    with pytest.raises(Refused, match=r"sent to some recipients, but not to: nobody@x.org \(550"):
        task(mail, email_to="b@x.org, nobody@x.org").run()
    assert len(mail.messages) == 1
    mail.drops_data = True
    with pytest.raises(ConnectionLost, match="connection to the mail server broke"):
        task(mail).run()


def test_wrong_passwords_are_not_shown(mail: Mail, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("APPLIANCE_SECRET_EMAIL_PASSWORD", "another-password")
    with pytest.raises(AccessDenied, match=r"rejects the user or the password: 535 wrong: .*\*\*\*") as denied:
        task(mail).run()
    assert "another-password" not in repr(denied.value)


def test_arguments_are_checked(mail: Mail, tmp_path: Path) -> None:
    with pytest.raises(Refused, match="must not contain line breaks"):
        task(mail, subject="x\nBcc: e@example.org").run()
    with pytest.raises(Refused, match="missing' can't be read: No such file"):
        task(mail, attachments=[tmp_path / "missing"]).run()
    with pytest.raises(MissingArgument, match="EmailTask has no msg"):
        task(mail, msg=None).run()
    with pytest.raises(MissingArgument, match="EmailTask has no email_to"):
        task(mail, email_to=None).run()
    assert task(mail).secrets == ("EMAIL_PASSWORD", "EMAIL_USERNAME")
    assert task(mail, password=None).secrets == ()
    assert task(mail, username="ada", password=Secret("OTHER")).secrets == ("OTHER",)
    assert task(mail, password=None).run()["recipients"] == 1
