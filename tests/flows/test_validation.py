"""Whatever the network and the server do to the question at start, the session is kept."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from interpal._clock import utc_now
from interpal.sandbox import Sandbox
from tests.helpers import SELF, Place, listening, replying, unused_port
from tests.helpers import http as reply

if TYPE_CHECKING:
    from pathlib import Path

    from tests.helpers import Driver


def outcomes() -> list[Any]:
    page = "<html>maintenance</html>"
    html = {"Content-Type": "text/html"}
    return [
        pytest.param({"drop": True}, id="reset"),
        pytest.param({"hang": 5}, id="hang"),
        *(pytest.param({"status": status}, id=str(status)) for status in (403, 404, 429, 500, 503)),
        pytest.param({"status": 200, "body": page, "headers": html}, id="html"),
        pytest.param({"status": 200, "body": [1, 2]}, id="list"),
        pytest.param({"status": 302, "headers": {"Location": "/v1/elsewhere"}}, id="redirect"),
    ]


@pytest.mark.parametrize("fault", outcomes())
def test_an_answer_that_says_nothing_keeps_the_session(
    driver: Driver, place: Place, fault: dict[str, Any]
) -> None:
    saved = place.save()
    before = place.snapshot()
    place.site.fault(SELF, **fault)
    client = driver.open(**place.settings(timeout=0.3))
    assert client.session.same_credentials(saved)
    assert client.persisted
    assert place.told == ["session_loaded", "unverified"]
    assert place.snapshot() == before
    assert place.logins == 1
    assert place.requests() == 1  # Validation at start is never retried.
    assert place.requests("/v1/elsewhere") == 0


def self_signed(folder: Path) -> tuple[str, str]:
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    now = utc_now()
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    (folder / "cert.pem").write_bytes(certificate.public_bytes(pem))
    (folder / "key.pem").write_bytes(
        key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return str(folder / "cert.pem"), str(folder / "key.pem")


def check_unreachable(driver: Driver, place: Place, base_url: str) -> str:
    place.save(origin=base_url)
    before = place.snapshot()
    client = driver.open(**place.settings(base_url=base_url, timeout=2))
    assert client.is_authenticated
    assert client.persisted
    assert place.told == ["session_loaded", "unverified"]
    assert place.snapshot() == before
    assert place.logins == 1
    reason: str = place.events[-1].facts["reason"]
    return reason


def test_a_refused_connection_keeps_the_session(driver: Driver, place: Place) -> None:
    assert (
        "refused" in check_unreachable(driver, place, f"http://127.0.0.1:{unused_port()}").lower()
    )


def test_a_certificate_that_is_not_trusted_keeps_the_session(
    driver: Driver, place: Place, tmp_path: Path
) -> None:
    with Sandbox(tls=self_signed(tmp_path)) as site:
        assert "certificate" in check_unreachable(driver, place, site.base_url)
        assert site.stats()["requests"] == {}


def test_a_name_that_does_not_resolve_keeps_the_session(
    driver: Driver, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    check_unreachable(driver, place, "https://nope.invalid")


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(b"\x00\xff\x00\xff not http\r\n\r\n", id="rubbish"),
        pytest.param(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{", id="cut"),
        pytest.param(reply("200 OK", b"[" * 100_000), id="deep"),
        pytest.param(b"", id="closed"),
    ],
)
def test_an_answer_that_is_broken_keeps_the_session(
    driver: Driver, place: Place, answer: bytes
) -> None:
    handler, _ = replying(answer)
    with listening(handler) as base_url:
        check_unreachable(driver, place, base_url)
