"""What is tried again, when, and what a refusal of the server says about waiting."""

from __future__ import annotations

import time
from datetime import timedelta
from email.utils import format_datetime
from typing import TYPE_CHECKING, Any

import pytest

from interpal._clock import utc_now
from interpal.exceptions import APIError, NetworkError, RateLimitError
from interpal.flows import request
from interpal.transport.messages import Response
from interpal.transport.protocol import retry_after
from tests.helpers import SELF, TOKEN

if TYPE_CHECKING:
    from tests.helpers import Driver, Place

PATH = "/v1/settings/self"


@pytest.fixture(autouse=True)
def _hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(request, "FIRST_RETRY_PAUSE", 0.01)


@pytest.mark.parametrize(
    "fault",
    [{"drop": True}, {"status": 502}, {"status": 503}, {"status": 504}],
    ids=lambda fault: str(*fault.values()),
)
def test_trouble_that_passes_is_passed_over(
    driver: Driver, place: Place, fault: dict[str, Any]
) -> None:
    client = driver.open(**place.settings())
    for method in ("GET", "PUT"):
        place.site.fault(PATH, **fault, times=2)
        sent = place.requests(PATH)
        assert driver.run(client, "request", method, PATH) is not None
        assert place.requests(PATH) == sent + 3
    assert place.logins == 1


@pytest.mark.parametrize("retries", [0, 1, 2])
def test_trouble_that_stays_is_told_after_max_retries(
    driver: Driver, place: Place, retries: int
) -> None:
    client = driver.open(**place.settings(max_retries=retries))
    place.site.fault(PATH, status=503, times=None)
    with pytest.raises(APIError, match="503") as caught:
        driver.run(client, "get", PATH)
    assert caught.value.status_code == 503
    assert place.requests(PATH) == retries + 1
    place.site.fault(SELF, drop=True, times=None)
    with pytest.raises(NetworkError):
        driver.run(client, "get_self")
    assert place.requests(SELF) == retries + 1


@pytest.mark.parametrize("status", [400, 403, 404, 429, 500, 501])
def test_other_refusals_are_told_at_once(driver: Driver, place: Place, status: int) -> None:
    client = driver.open(**place.settings())
    place.site.fault(PATH, status=status, headers={}, body={"error": "no"}, times=None)
    with pytest.raises(APIError, match="no") as caught:
        driver.run(client, "get", PATH)
    assert caught.value.status_code == status
    assert place.requests(PATH) == 1


@pytest.mark.parametrize("fault", [{"status": 503}, {"drop": True}], ids=["503", "drop"])
def test_a_post_is_never_tried_again(driver: Driver, place: Place, fault: dict[str, Any]) -> None:
    client = driver.open(**place.settings())
    place.site.fault("/v1/message", **fault, times=None)
    with pytest.raises((APIError, NetworkError)):
        driver.run(client, "post", "/v1/message", data={"thread_id": "1", "message": "x"})
    assert place.requests("/v1/message") == 1


def test_a_streamed_body_is_never_tried_again(driver: Driver, place: Place) -> None:
    client = driver.open(**place.settings())
    place.site.fault(PATH, status=503, times=None)
    with pytest.raises(APIError):
        driver.run(client, "put", PATH, data=[b"{}"])
    assert place.requests(PATH) == 1


@pytest.mark.parametrize("text", ["0", "0.2", "date"])
def test_a_429_waits_as_long_as_it_says(driver: Driver, place: Place, text: str) -> None:
    client = driver.open(**place.settings())
    if text == "date":
        text = format_datetime(utc_now() + timedelta(seconds=1), usegmt=True)
    place.site.fault(PATH, status=429, headers={"Retry-After": text})
    start = time.monotonic()
    assert driver.run(client, "get", PATH) is not None
    if text == "0.2":
        assert time.monotonic() - start >= 0.2
    assert place.requests(PATH) == 2


def test_a_429_that_says_longer_than_the_time_out_is_told(driver: Driver, place: Place) -> None:
    client = driver.open(**place.settings(timeout=5))
    place.site.fault(PATH, status=429, headers={"Retry-After": "6"})
    with pytest.raises(RateLimitError) as caught:
        driver.run(client, "get", PATH)
    assert caught.value.retry_after == 6
    assert caught.value.status_code == 429
    assert place.requests(PATH) == 1


@pytest.mark.parametrize("text", ["soon", "-5", "nan", "inf", "1e999", "", "2026-11-22", "Mon, 99"])
def test_rubbish_in_retry_after_counts_as_absent(text: str) -> None:
    assert retry_after(Response(429, (("retry-after", text),), b""), utc_now()) is None


def test_retry_after_is_seconds_a_fraction_or_a_date() -> None:
    now = utc_now().replace(microsecond=0)

    def read(text: str) -> float | None:
        return retry_after(Response(429, (("retry-after", text),), b""), now)

    assert read("120") == 120
    assert read(" 1.5 ") == 1.5
    assert read(format_datetime(now + timedelta(seconds=90), usegmt=True)) == 90
    assert read((now + timedelta(seconds=90)).strftime("%A, %d-%b-%y %H:%M:%S GMT")) == 90
    assert read(format_datetime(now - timedelta(seconds=90), usegmt=True)) == 0
    assert retry_after(Response(429, (), b""), now) is None


def test_requests_keep_their_distance(
    driver: Driver, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = driver.open(**place.settings(min_interval=0.1))
    start = time.monotonic()
    driver.together(client, [("get", PATH)] * 4)
    assert time.monotonic() - start >= 0.3
    other = driver.open(**place.settings())
    monkeypatch.setattr(request, "Pause", None)
    assert all(isinstance(reply, dict) for reply in driver.together(other, [("get", PATH)] * 4))


def test_the_text_of_the_server_is_cut_and_cleaned(driver: Driver, place: Place) -> None:
    client = driver.open(**place.settings())
    cookie = client.session.session_cookie
    said = f"\x1b[31m{cookie} secret\n" + "x" * 500
    place.site.fault(PATH, status=400, body={"error": said})
    with pytest.raises(APIError) as caught:
        driver.run(client, "get", PATH)
    message = str(caught.value)
    assert cookie not in message
    assert "secret>" in message
    assert "\x1b" not in message
    assert "\n" not in message
    assert len(message) < 400
    assert place.requests(TOKEN) == 1
