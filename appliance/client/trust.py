"""What a client says about a server that it does not trust: for its certificate, or because it offers no TLS that is safe. Nothing is sent to such a server, and
never anything in clear text instead."""

from __future__ import annotations

import os
import ssl
from collections.abc import Iterator
from urllib.parse import urlsplit

from appliance.client.errors import Untrusted

AUTHORITIES = "SSL_CERT_FILE"
"""Names the file with the authorities that are trusted, instead of those of the system."""
_THERE = "on the server, or on the proxy in front of it"
_OTHER_NAME = (
    "its certificate is for another name; set APPLIANCE_URL to a name in the certificate, or have one issued for {host}"
)
_STRANGER = "its certificate is from an authority that this machine does not know; {add_authority}"
_NO_CHAIN = f"{_STRANGER}, or have the server send its intermediate certificates"
_BY_CODE = {
    9: f"its certificate is not valid yet; check the clock of this machine, and the certificate {_THERE}",
    10: f"its certificate has expired; renew it {_THERE}, and check the clock of this machine",
    18: "its certificate is self-signed; {add_it}",
    19: _STRANGER,
    20: _NO_CHAIN,
    21: _NO_CHAIN,
    62: _OTHER_NAME,
    64: _OTHER_NAME,
}
"""By the codes of OpenSSL's x509_vfy.h."""
_OLD = frozenset({"TLSV1_ALERT_PROTOCOL_VERSION", "UNSUPPORTED_PROTOCOL"})
_OLD_SIGNATURE = "legacy sigalg disallowed"
"""How some versions of OpenSSL refuse TLS 1.1; Python 3.11 has no name for that reason."""
_NO_TLS = frozenset({"WRONG_VERSION_NUMBER", "HTTP_REQUEST", "RECORD_LAYER_FAILURE"})


def refusal(url: str, lost: BaseException) -> Untrusted | None:
    """The error for a request that was lost because the server at `url` is not trusted, or None if that is not why."""
    reasons = (_reason(error, urlsplit(url).hostname or "it") for error in _causes(lost))
    reason = next(filter(None, reasons), None)
    return None if reason is None else Untrusted(url, reason)


def unusable(url: str, error: OSError) -> Untrusted:
    """The error for authorities that can't be read."""
    what = "contains no certificates in PEM" if isinstance(error, ssl.SSLError) else f"can't be read ({error.strerror})"
    file = os.environ.get(AUTHORITIES, "")
    return Untrusted(url, f"the file {file!r}, which {AUTHORITIES} names, {what}; correct the variable or the file")


def _reason(error: BaseException, host: str) -> str | None:
    if isinstance(error, ssl.SSLCertVerificationError):
        known = _BY_CODE.get(error.verify_code)
        if known is None:
            return f"its certificate is not accepted ({error.verify_message}); replace it {_THERE}"
        return known.format(host=host, add_it=_add("it"), add_authority=_add("the certificate of that authority"))
    reason = error.reason if isinstance(error, ssl.SSLError) else ""
    if reason in _OLD or _OLD_SIGNATURE in str(error):
        return f"it offers no version of TLS that is still safe; switch on TLS 1.2 or 1.3 {_THERE}"
    return (
        "it does not speak TLS at this address; check the host and the port of APPLIANCE_URL"
        if reason in _NO_TLS
        else None
    )


def _add(certificate: str) -> str:
    file = os.environ.get(AUTHORITIES)
    return f"add {certificate} to {file}" if file else f"set {AUTHORITIES} to a PEM file with {certificate}"


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__
