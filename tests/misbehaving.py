"""Servers of HTTP, HTTPS and SMTP on free ports that behave as a test asks: badly, mostly."""

from __future__ import annotations

import datetime as dt
import ipaddress
import json
import re
import socketserver
import ssl
import threading
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import IO, TYPE_CHECKING, Any, TypeVar

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from io import BufferedIOBase
    from pathlib import Path


Server = TypeVar("Server", bound="LocalServer")


@dataclass(frozen=True)
class Authority:
    """A certificate authority, and a server's certificate that it signed."""

    ca: Path
    chain: Path
    """Certificate and key of the server."""

    def context(self) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.chain)
        return context


def authority(folder: Path, *names: str) -> Authority:
    """A new one, for these host names and addresses."""
    ca_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    issuer = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Test authority")])
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Test server")])
    signs = x509.KeyUsage(*(name in {"key_cert_sign", "crl_sign"} for name in _USAGES))
    by = x509.AuthorityKeyIdentifier.from_issuer_public_key(ca_key.public_key())
    ca = (
        _certificate(issuer, issuer, ca_key.public_key())
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(signs, critical=True)
    )
    server = (
        _certificate(subject, issuer, key.public_key())
        .add_extension(x509.SubjectAlternativeName([_name(name) for name in names]), critical=False)
        .add_extension(by, critical=False)
    )
    folder.mkdir(parents=True, exist_ok=True)
    made = Authority(folder / "ca.pem", folder / "server.pem")
    pem = serialization.Encoding.PEM
    made.ca.write_bytes(ca.sign(ca_key, hashes.SHA256()).public_bytes(pem))
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    made.chain.write_bytes(server.sign(ca_key, hashes.SHA256()).public_bytes(pem) + private)
    return made


_USAGES = (
    "digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement",
    "key_cert_sign", "crl_sign", "encipher_only", "decipher_only",
)  # fmt: skip


def _certificate(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey
) -> x509.CertificateBuilder:
    now = dt.datetime.now(dt.UTC)
    day = dt.timedelta(days=1)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - day)
        .not_valid_after(now + day)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
    )


def _name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


@dataclass(frozen=True)
class Heard:
    """A request."""

    target: str
    headers: dict[str, str]
    """Names in lower case."""
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


Reply = bytes | list[bytes] | None
"""Sent as it is; the parts of a list one after another, slowly and for ever; None: the server hangs up."""


def reply(status: int = 200, body: bytes = b"ok", **headers: str) -> bytes:
    """A well-formed answer."""
    lines = [f"HTTP/1.1 {status} Said", f"Content-Length: {len(body)}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


class LocalServer(socketserver.ThreadingTCPServer):
    """On a free port of this machine, a thread for each client."""

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, handler: type[socketserver.BaseRequestHandler]) -> None:
        self.ended = threading.Event()
        super().__init__(("127.0.0.1", 0), handler)

    @property
    def port(self) -> int:
        port: int = self.server_address[1]
        return port

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that hangs up is part of these tests."""


class HttpServer(LocalServer):
    """Answers each request as `answer` says."""

    def __init__(self, answer: Callable[[Heard], Reply] | Reply, tls: ssl.SSLContext | None = None) -> None:
        self.answer = answer
        self.tls = tls
        self.heard: list[Heard] = []
        self.named: list[str | None] = []
        """Server names that TLS clients asked for."""
        if tls:
            tls.sni_callback = lambda _, name, __: self.named.append(name)
        super().__init__(_HttpHandler)


class _HttpHandler(socketserver.BaseRequestHandler):
    server: HttpServer

    def handle(self) -> None:
        connection = self.request
        if self.server.tls:
            connection = self.server.tls.wrap_socket(connection, server_side=True)
        with connection, connection.makefile("rb") as stream:
            head = _until(stream, b"\r\n").decode("latin-1").split("\r\n")
            headers = {
                name.lower(): value.strip()
                for name, _, value in (line.partition(":") for line in head[1:] if line)
            }
            body = stream.read(int(headers.get("content-length", "0")))
            heard = Heard(head[0].split()[1], headers, body)
            self.server.heard.append(heard)
            answer = self.server.answer
            said = answer(heard) if callable(answer) else answer
            self._say(connection, said)

    def _say(self, connection: Any, said: Reply) -> None:
        if isinstance(said, bytes):
            connection.sendall(said)
        for part in said if isinstance(said, list) else ():
            connection.sendall(part)
        while isinstance(said, list) and not self.server.ended.wait(0.05):
            connection.sendall(said[-1])


def _until(stream: BufferedIOBase | IO[bytes], last: bytes) -> bytes:
    """The lines before `last`; raises ConnectionError where the client hangs up before."""
    lines = []
    while (line := stream.readline()) != last:
        if not line:
            raise ConnectionError
        lines.append(line)
    return b"".join(lines)


class SmtpServer(LocalServer):
    """Takes mail, or replies to a command as `replies` says, by its beginning."""

    def __init__(self, tls: ssl.SSLContext | None = None, *, at_once: bool = False) -> None:
        self.tls = tls
        self.at_once = at_once
        """Encrypted from the first byte, not by STARTTLS."""
        self.offers = ["AUTH PLAIN", "8BITMIME", "SMTPUTF8"]
        self.replies: dict[str, str] = {}
        self.pause = 0.0
        """Seconds from the end of a message to the reply that it is taken."""
        self.drips = False
        """Greets byte by byte, without end."""
        self.commands: list[str] = []
        self.mails: list[Mail] = []
        super().__init__(_SmtpHandler)


@dataclass
class Mail:
    """A message that was taken."""

    encrypted: bool
    user: bool
    """Whether the sender had logged in."""
    to: list[str] = field(default_factory=list)
    content: bytes = b""


class _SmtpHandler(socketserver.StreamRequestHandler):
    server: SmtpServer

    def handle(self) -> None:
        mail = Mail(encrypted=False, user=False)
        if self.server.at_once:
            self._encrypt(mail)
        while self.server.drips and not self.server.ended.wait(0.1):
            try:
                self.wfile.write(b"2")
            except OSError:  # the client has hung up
                return
        self._say("220 mail.test")
        while line := self.rfile.readline().decode().strip():
            word, _, rest = line.partition(" ")
            line = f"{word.upper()} {rest}".strip()  # smtplib writes some in lower case
            self.server.commands.append(line)
            said = next((text for start, text in self.server.replies.items() if line.startswith(start)), None)
            if said is not None:
                self._say(said)
            elif line.startswith("EHLO"):
                offered = ["mail.test", *(["STARTTLS"] if self.server.tls and not mail.encrypted else [])]
                offered += self.server.offers
                self._say("\r\n".join([*(f"250-{one}" for one in offered), "250 SIZE 10000000"]))
            elif line.startswith("STARTTLS") and self.server.tls:
                self._say("220 go on")
                self._encrypt(mail)
            elif line.startswith("DATA"):
                self._say("354 go on")
                mail.content = _until(self.rfile, b".\r\n")
                self.server.mails.append(mail)
                self.server.ended.wait(self.server.pause)
                self._say("250 taken")
            else:
                mail.user = mail.user or line.startswith("AUTH")
                if found := re.match(r"RCPT TO:<(.*?)>", line, re.IGNORECASE):
                    mail.to.append(found[1])
                self._say("235 known" if line.startswith("AUTH") else "250 fine")

    def _encrypt(self, mail: Mail) -> None:
        assert self.server.tls is not None
        self.connection = self.server.tls.wrap_socket(self.connection, server_side=True)
        self.rfile = self.connection.makefile("rb")
        self.wfile = self.connection.makefile("wb", 0)
        mail.encrypted = True

    def _say(self, line: str) -> None:
        self.wfile.write(line.encode() + b"\r\n")


@contextmanager
def serving(server: Server) -> Iterator[Server]:
    """The server, while a test goes on."""
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.ended.set()
        with suppress(OSError):
            server.shutdown()
            server.server_close()
