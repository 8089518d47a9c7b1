"""Email: send messages with attachments by SMTP, over TLS unless the server is on a trusted network."""

from __future__ import annotations

import mimetypes
import socket
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypedDict, Unpack

from appliance.core.secrets import Secret
from appliance.tasks.library.arguments import credential, defaults_from_attrs, needed, revealed
from appliance.tasks.library.errors import (
    AccessDenied,
    ConnectionLost,
    Refused,
    TaskLibraryError,
    Unreachable,
    first_line,
)
from appliance.tasks.library.interruption import interruptible
from appliance.tasks.library.task import LibraryTask, TaskOptions

if TYPE_CHECKING:
    import smtplib
    from email.message import EmailMessage

__all__ = ["EmailTask", "Sent"]

USERNAME, PASSWORD = Secret("EMAIL_USERNAME"), Secret("EMAIL_PASSWORD")
_PATIENCE = 30.0
Addresses = str | Iterable[str]


class Sent(TypedDict):
    """What has been sent."""

    message_id: str
    recipients: int


class EmailTask(LibraryTask):
    """Sends an email: `msg` is HTML, `msg_plain` plain text, one of them is enough. Addresses are lists, or separated by commas.

    `smtp_type` is `"SSL"` (TLS from the start), `"STARTTLS"`, or `"INSECURE"`. The user and the password are the secrets `EMAIL_USERNAME` and
    `EMAIL_PASSWORD`, unless `username` and `password` name others; with `password=None`, the task doesn't sign in. `attachments` are paths.
    """

    def __init__(
        self,
        subject: str | None = None,
        msg: str | None = None,
        email_to: Addresses | None = None,
        email_from: str | None = None,
        smtp_server: str | None = None,
        smtp_port: int | None = None,
        smtp_type: Literal["SSL", "STARTTLS", "INSECURE"] = "SSL",
        msg_plain: str | None = None,
        email_to_cc: Addresses | None = None,
        email_to_bcc: Addresses | None = None,
        attachments: Iterable[str | Path] | None = None,
        username: str | Secret | None = USERNAME,
        password: Secret | None = PASSWORD,
        ca_file: str | Path | None = None,
        **options: Unpack[TaskOptions],
    ) -> None:
        """Takes the options of Task, too. `smtp_port` is 465 by default, 587 with STARTTLS, and 25 without TLS. `ca_file` has certificates to trust."""
        super().__init__(*([username, password] if password is not None else []), **options)
        if smtp_type not in _PORTS:
            raise ValueError("smtp_type must be 'SSL', 'STARTTLS' or 'INSECURE'.")
        self.subject, self.msg, self.msg_plain = subject, msg, msg_plain
        self.email_to, self.email_to_cc, self.email_to_bcc = email_to, email_to_cc, email_to_bcc
        self.email_from, self.attachments = email_from, attachments
        self.smtp_server, self.smtp_type, self.ca_file = smtp_server, smtp_type, ca_file
        self.smtp_port = _PORTS[smtp_type] if smtp_port is None else smtp_port
        self.username, self.password = username, credential("password", password)

    @defaults_from_attrs(
        *("subject", "msg", "email_to", "email_from", "msg_plain", "email_to_cc", "email_to_bcc", "attachments")
    )
    def run(
        self,
        subject: str | None = None,
        msg: str | None = None,
        email_to: Addresses | None = None,
        email_from: str | None = None,
        msg_plain: str | None = None,
        email_to_cc: Addresses | None = None,
        email_to_bcc: Addresses | None = None,
        attachments: Iterable[str | Path] | None = None,
    ) -> Sent:
        """Raises Unreachable, ConnectionLost, AccessDenied or Refused, also if the server takes the message for some recipients only."""
        headers = {
            "Subject": needed(self, "subject", subject),
            "From": needed(self, "email_from", email_from),
            "To": ", ".join(_listed(email_to)),
            "Cc": ", ".join(_listed(email_to_cc)),
        }
        message = _message(headers, needed(self, "msg", msg or msg_plain) and msg, msg_plain, attachments or ())
        recipients = [*_listed(email_to), *_listed(email_to_cc), *_listed(email_to_bcc)]
        needed(self, "email_to", recipients or None)
        with self._signed_in() as server:
            refused = _send(server, message, recipients)
        if refused:
            raise Refused(f"The message was sent to some recipients, but not to: {'; '.join(refused)}.")
        return {"message_id": str(message["Message-ID"]), "recipients": len(recipients)}

    @contextmanager
    def _signed_in(self) -> Iterator[smtplib.SMTP]:
        import smtplib
        import ssl

        host, place = needed(self, "smtp_server", self.smtp_server), f"{self.smtp_server}:{self.smtp_port}"
        trust = ssl.create_default_context(cafile=None if self.ca_file is None else str(self.ca_file))
        kind: Any = smtplib.SMTP_SSL if self.smtp_type == "SSL" else smtplib.SMTP
        more = {"context": trust} if self.smtp_type == "SSL" else {}
        server = kind(timeout=_PATIENCE, **more)
        server._host = (
            host  # which smtplib sets only if it connects at once, and which TLS compares with the certificate
        )
        with interruptible(self, lambda: _shut_down(server)):
            try:
                try:
                    server.connect(host, self.smtp_port)
                    if self.smtp_type == "STARTTLS":
                        server.starttls(context=trust)
                    if self.password is not None:
                        server.login(revealed(self.username) or "", revealed(self.password) or "")
                except smtplib.SMTPAuthenticationError as error:
                    raise AccessDenied(f"{place} rejects the user or the password: {_said(error)}.") from None
                except ssl.SSLCertVerificationError as error:
                    raise Refused(f"The certificate of {place} is not trusted: {error.verify_message}.") from None
                except smtplib.SMTPNotSupportedError as error:
                    raise Refused(f"{place} can't be used like this: {first_line(error)}.") from None
                except (OSError, smtplib.SMTPException) as error:
                    raise Unreachable(f"{place} can't be reached: {first_line(error)}.") from None
                yield server
            finally:
                server.close()


_PORTS: Mapping[str, int] = {"SSL": 465, "STARTTLS": 587, "INSECURE": 25}


def _send(server: smtplib.SMTP, message: EmailMessage, recipients: list[str]) -> list[str]:
    """Send the message; the recipients that were refused, with the reasons, if others were not."""
    import smtplib

    try:
        refused = server.send_message(message, to_addrs=recipients)
    except smtplib.SMTPRecipientsRefused as error:
        raise _refusal([code for code, _ in error.recipients.values()], "; ".join(_reasons(error.recipients))) from None
    except smtplib.SMTPResponseException as error:
        raise _refusal([error.smtp_code], _said(error)) from None
    except (OSError, smtplib.SMTPException) as error:
        raise ConnectionLost(f"The connection to the mail server broke: {first_line(error)}.") from None
    with suppress(OSError, smtplib.SMTPException):  # the message is sent
        server.quit()
    return _reasons(refused)


def _refusal(codes: list[int], said: str) -> TaskLibraryError:
    """Codes from 400 to 499 are temporary."""
    sentence = f"The mail server doesn't take the message: {said}."
    return Unreachable(sentence) if all(code < 500 for code in codes) else Refused(sentence, max(codes))


def _reasons(refused: Mapping[str, tuple[int, bytes]]) -> list[str]:
    return [f"{address} ({code} {text.decode(errors='replace')})" for address, (code, text) in refused.items()]


def _said(error: smtplib.SMTPResponseException) -> str:
    text = error.smtp_error
    said = text.decode(errors="replace") if isinstance(text, bytes) else str(text)
    return f"{error.smtp_code} {' '.join(said.split())}"[:300].rstrip(".")


def _message(
    headers: Mapping[str, str], html: str | None, plain: str | None, attachments: Iterable[str | Path]
) -> EmailMessage:
    from email.message import EmailMessage
    from email.utils import formatdate, make_msgid

    message = EmailMessage()
    try:
        for name, value in {**headers, "Date": formatdate(), "Message-ID": make_msgid(domain="appliance")}.items():
            if value:
                message[name] = value
    except ValueError:
        raise Refused("The subject and the addresses must not contain line breaks.") from None
    if plain is not None:
        message.set_content(plain)
    if html is not None:
        message.add_alternative(html, subtype="html") if plain is not None else message.set_content(
            html, subtype="html"
        )
    for path in map(Path, attachments):
        main, _, sub = (mimetypes.guess_type(path.name)[0] or "application/octet-stream").partition("/")
        try:
            message.add_attachment(path.read_bytes(), maintype=main, subtype=sub, filename=path.name)
        except OSError as error:
            raise Refused(f"The attachment {str(path)!r} can't be read: {error.strerror}.") from None
    return message


def _listed(addresses: Addresses | None) -> list[str]:
    each = addresses.split(",") if isinstance(addresses, str) else addresses or ()
    return [one.strip() for one in each if one.strip()]


def _shut_down(server: smtplib.SMTP) -> None:
    if server.sock is not None:
        server.sock.shutdown(socket.SHUT_RDWR)
