"""A certificate authority of the tests' own, as a company has one, and certificates that nobody should trust."""

from __future__ import annotations

import ssl
import warnings
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

VALID, EXPIRED, NOT_YET = (-1, 2), (-3, -1), (1, 2)
"""The first and the last day of a certificate, from today."""


class Authority:
    """Its certificate is in `file`."""

    def __init__(self, folder: Path, name: str = "the tests' own authority") -> None:
        self._folder, self._name = folder, name
        self._key = ec.generate_private_key(ec.SECP256R1())
        self.file = folder / f"{name.replace(' ', '-')}.pem"
        self.file.write_bytes(_pem(_certificate(name, self._key, name, self._key, None, VALID)))

    def issue(self, address: str, days: tuple[int, int] = VALID) -> Path:
        """A file with a key and a certificate for a server at an IP address or under a name."""
        key = ec.generate_private_key(ec.SECP256R1())
        return _stored(self._folder, key, _certificate(address, key, self._name, self._key, address, days))


def authority(folder: Path, address: str) -> tuple[Path, ssl.SSLContext]:
    """The file with the authority's certificate, and what a server at an IP address or under a name needs to be trusted by those who trust the authority."""
    own = Authority(folder)
    return own.file, serving(own.issue(address))


def self_signed(folder: Path, address: str) -> Path:
    """A file with a key and a certificate that no authority has issued."""
    key = ec.generate_private_key(ec.SECP256R1())
    return _stored(folder, key, _certificate(address, key, address, key, address, VALID))


def serving(file: Path) -> ssl.SSLContext:
    """What a server needs. `load_cert_chain` exchanges its certificate for new connections."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    return context


def make_old(context: ssl.SSLContext) -> None:
    """From now on, a server offers TLS 1.0 and 1.1 only."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version, context.maximum_version = ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1
    context.set_ciphers("ALL:@SECLEVEL=0")


def _certificate(
    subject: str,
    key: ec.EllipticCurvePrivateKey,
    issuer: str,
    by: ec.EllipticCurvePrivateKey,
    address: str | None,
    days: tuple[int, int],
) -> x509.Certificate:
    now = datetime.now(UTC)
    names = [x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]) for name in (subject, issuer)]
    builder = (
        x509.CertificateBuilder()
        .subject_name(names[0])
        .issuer_name(names[1])
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now + timedelta(days=days[0]))
        .not_valid_after(now + timedelta(days=days[1]))
        .add_extension(x509.BasicConstraints(ca=address is None, path_length=None), critical=True)
    )
    if address is not None:
        builder = builder.add_extension(x509.SubjectAlternativeName([_place(address)]), critical=False)
    return builder.sign(by, hashes.SHA256())


def _place(address: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(address))
    except ValueError:
        return x509.DNSName(address)


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)


def _stored(folder: Path, key: ec.EllipticCurvePrivateKey, certificate: x509.Certificate) -> Path:
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    file = folder / f"{certificate.serial_number:x}.pem"
    file.write_bytes(private + _pem(certificate))
    return file
