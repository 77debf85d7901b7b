"""Log lines are events with fields; a secret shows up in none of the ways a value gets printed."""

from __future__ import annotations

import copy
import io
import json
import logging
import pickle
import pprint
import traceback
from collections.abc import Iterator

import pytest
import structlog

from jepanet.telemetry import Secret, configure_logging, get_logger

pytestmark = pytest.mark.unit

KEY = "c0ffee" * 10


@pytest.fixture(autouse=True)
def _restored_logging() -> Iterator[None]:
    yield
    structlog.reset_defaults()


def printed(secret: Secret[object]) -> list[str]:
    return [
        str(secret),
        repr(secret),
        f"{secret}",
        f"{secret!r}",
        f"{secret:>80}",
        "%s %r" % (secret, secret),  # noqa: UP031 - one more way to print
        "{} {!r:20}".format(secret, secret),  # noqa: UP032 - one more way to print
        str([secret]),
        str({"key": secret}),
        pprint.pformat({"key": [secret]}),
        repr(vars(type(secret))),
    ]


@pytest.mark.parametrize("value", [KEY, KEY.encode(), bytearray(KEY.encode()), [KEY], int(KEY, 16)])
def test_no_way_of_printing_shows_a_secret(value: object) -> None:
    for text in printed(Secret(value)):
        assert KEY not in text and str(int(KEY, 16)) not in text


def test_a_secret_is_never_serialised() -> None:
    secret = Secret(KEY)
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        with pytest.raises(TypeError, match="never serialised"):
            pickle.dumps(secret, protocol)
    with pytest.raises(TypeError):
        json.dumps({"key": secret})
    with pytest.raises(TypeError):
        copy.deepcopy(secret)


def test_a_secret_has_no_dictionary_to_dump() -> None:
    assert not hasattr(Secret(KEY), "__dict__")


def test_a_traceback_that_holds_a_secret_does_not_print_it() -> None:
    def use(secret: Secret[str]) -> None:
        raise RuntimeError(f"could not use {secret}")

    try:
        use(Secret(KEY))
    except RuntimeError as error:
        text = "".join(traceback.TracebackException.from_exception(error, capture_locals=True).format())
    # Only the test's own argument to use() names it in source text.
    assert KEY not in text


def test_a_secret_is_compared_by_value_and_revealed_only_when_asked() -> None:
    assert Secret(KEY) == Secret(KEY)
    assert Secret(KEY) != Secret("other")
    assert Secret(KEY) != KEY
    assert len({Secret(KEY), Secret(KEY)}) == 1
    assert Secret(KEY).reveal() == KEY


# ------------------------------------------------------------------ log lines


@pytest.mark.parametrize("as_json", [True, False])
def test_a_logged_secret_stays_hidden(as_json: bool) -> None:
    stream = io.StringIO()
    configure_logging(json=as_json, stream=stream)
    try:
        raise ValueError(f"bad {Secret(KEY)}")
    except ValueError:
        get_logger("chain").exception("wallet.opened", key=Secret(KEY), nested={"key": [Secret(KEY)]})
    assert "wallet.opened" in stream.getvalue()
    assert KEY not in stream.getvalue()


def test_a_line_is_one_json_object_with_its_fields() -> None:
    stream = io.StringIO()
    configure_logging(json=True, stream=stream)
    get_logger("p2p").info("blob.fetched", round=7, cid="bafk", digest=b"\x01\xff", text="two\nlines")
    (line,) = stream.getvalue().splitlines()
    fields = json.loads(line)
    assert fields.pop("timestamp").endswith("Z")
    assert fields == {
        "event": "blob.fetched", "level": "info", "room": "p2p", "round": 7, "cid": "bafk",
        "digest": "0x01ff", "text": "two\nlines",
    }  # fmt: skip


def test_attack_a_strangers_text_does_nothing_to_a_terminal() -> None:
    stream = io.StringIO()
    configure_logging(stream=stream)
    get_logger("p2p").info("peer.met", agent="a\x1b]0;title\x07\x9b2J\u202eb\rc", why="two\n\x1b[2Jlines")
    try:
        raise ValueError("\x1b[2J")
    except ValueError:
        get_logger("p2p").info("peer.lost", exc_info=True)
    told = stream.getvalue()
    assert "a\\x1b]0;title\\x07\\x9b2J\\u202eb\\rc" in told
    assert all(each.isprintable() or each == "\n" for each in told) and told.count("\n") > 3


@pytest.mark.parametrize("name", ["method", "name", "words", "fields", "args", "of", "why"])
def test_a_field_may_be_named_as_the_loggers_own_parameters(name: str) -> None:
    stream = io.StringIO()
    configure_logging(json=True, stream=stream)
    get_logger("chain").warning("endpoint.rested", **{name: "eth_getLogs"})
    assert json.loads(stream.getvalue())[name] == "eth_getLogs"


def test_lines_below_the_level_are_not_written() -> None:
    stream = io.StringIO()
    configure_logging(level="warning", json=True, stream=stream)
    get_logger("node").info("quiet")
    get_logger("node").warning("loud")
    assert [json.loads(line)["event"] for line in stream.getvalue().splitlines()] == ["loud"]


def test_the_network_library_does_not_fill_the_log() -> None:
    configure_logging(stream=io.StringIO())
    assert not logging.getLogger("libp2p").isEnabledFor(logging.ERROR)
