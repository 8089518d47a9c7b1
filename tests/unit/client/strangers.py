"""What proxies, load balancers, firewalls and sign-in pages answer in place of the appliance: statuses, headers and bodies."""

from __future__ import annotations

import gzip

STATUSES = range(100, 600)

OURS = b'{"code":"not_found","message":"There is nothing at this address.","request_id":"0198c9a2","details":{}}'
"""The shape of a verdict of the server."""

BODIES: dict[str, bytes] = {
    "empty": b"",
    "blank": b" \r\n",
    "a page": b"<!DOCTYPE html><html><head><title>404 Not Found</title></head><body>nginx</body></html>",
    "a page with our error in it": b"<html>" + OURS + b"</html>",
    "Traefik": b"404 page not found\n",
    "Envoy": b"upstream connect error or disconnect/reset before headers. reset reason: connection failure",
    "an empty object": b"{}",
    "an empty list": b"[]",
    "null": b"null",
    "a text": b'"ok"',
    "a number": b"0",
    "a status": b'{"status":"ok"}',
    "Kong": b'{"message":"no Route matched with those values"}',
    "AWS": b'{"message":"Forbidden"}',
    "Azure": b'{"statusCode":401,"message":"Access denied due to missing subscription key."}',
    "Google": b'{"error":{"code":404,"message":"not found","status":"NOT_FOUND"}}',
    "Connect": b'{"code":"unauthenticated","message":"missing token"}',
    "Connect with details": b'{"code":"not_found","message":"no route","details":[]}',
    "Twirp": b'{"code":"bad_route","msg":"no handler for path"}',
    "a registry": b'{"errors":[{"code":"UNAUTHORIZED","message":"authentication required","detail":null}]}',
    "FastAPI": b'{"detail":"Not Found"}',
    "our error cut off": OURS[:-20],
    "our error without its request": b'{"code":"stale_attempt","message":"Replaced.","details":{}}',
    "our error without a code": b'{"code":"","message":"x","request_id":"r","details":{}}',
    "our error in UTF-16": OURS.decode().encode("utf-16"),
    "our error after a byte order mark": b"\xef\xbb\xbf" + OURS,
    "Latin-1": b'{"code":"forbidden","message":"Zugriff verweigert f\xfcr Sie","request_id":"r","details":{}}',
    "a packed page": gzip.compress(b"<html>503</html>"),
    "bytes": bytes(range(256)),
    "deep": b"[" * 50_000,
    "two objects": b"{}{}",
}

HEADERS: dict[str, dict[str, str]] = {
    "none": {},
    "a redirect": {"Location": "https://user:pass@elsewhere.example/login?state=secret"},
    "a redirect to nowhere": {"Location": "http://[::1"},
    "a sign-in": {"WWW-Authenticate": 'Negotiate, Basic realm="proxy"', "Set-Cookie": "session=1; Path=/; HttpOnly"},
    "a broken cookie": {"Set-Cookie": "a=b; expires=Thu, 99 Foo 99999; Domain=.; Path=\\"},
    "wait": {"Retry-After": "3600"},
    "wait until": {"Retry-After": "Wed, 21 Oct 2026 07:28:00 GMT"},
    "wait oddly": {"Retry-After": "-1e999"},
    "a wrong charset": {"Content-Type": "application/json; charset=utf-16"},
    "an unknown charset": {"Content-Type": "text/html; charset=none-such"},
    "packed badly": {"Content-Encoding": "gzip"},
    "packed unknown": {"Content-Encoding": "snappy"},
    "a name": {"Server": "cloudflare \x7f"},
}
