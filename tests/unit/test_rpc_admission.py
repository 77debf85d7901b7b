"""Who is heard at all: hosts, origins, types, tokens and their files, and what the configuration may say."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from jepanet.errors import Exit, Fatal
from jepanet.rpc.codes import Code, Refused
from jepanet.rpc.method import Scope
from jepanet.rpc.transport.admission import check_host, check_length, check_type, hosts_of
from jepanet.rpc.transport.bearer import bearer_of_socket, open_tokens, token_file
from jepanet.settings.rpc_section import RpcSection, check_rpc

pytestmark = pytest.mark.unit

LOCAL = hosts_of(RpcSection())


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "127.0.0.1:4780", "localhost:4780", "LOCALHOST.", "[::1]:4780", "[0:0:0:0:0:0:0:1]"]
)
def test_a_node_is_called_by_the_names_of_loopback(host: str) -> None:
    check_host({"Host": host}, LOCAL)


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Host": ""},
        {"Host": "evil.example"},
        {"Host": "127.0.0.1.evil.example"},
        {"Host": "127.0.0.1, evil.example"},
        {"Host": "localhost@evil.example"},
        {"Host": "10.0.0.1:4780"},
        {"Host": "127.0.0.1", "Origin": "https://evil.example"},
        {"Host": "127.0.0.1", "Origin": "null"},
        {"Host": "127.0.0.1:4780", "Origin": "http://127.0.0.1:4781"},
        {"Host": "127.0.0.1:4780", "Origin": "http://127.0.0.1"},
        {"Host": "127.0.0.1:4780", "Origin": "http://localhost:4780"},
        {"Host": "127.0.0.1:4780", "Origin": "http://127.0.0.1:4780, https://evil.example"},
        {"Host": "127.0.0.1:4780", "Origin": "http://127.0.0.1:4780.evil.example"},
        {"Host": "127.0.0.1:4780", "Origin": "file://127.0.0.1:4780"},
        {"Host": "evil.example", "Origin": "http://evil.example"},
    ],
)
def test_attack_another_host_or_a_page_is_refused(headers: dict[str, str]) -> None:
    with pytest.raises(Refused) as refused:
        check_host(headers, LOCAL)
    assert refused.value.code is Code.STRANGER


@pytest.mark.parametrize("origin", ["http://127.0.0.1:4780", "https://127.0.0.1:4780"])
def test_the_page_of_the_server_itself_may_call_it(origin: str) -> None:
    check_host({"Host": "127.0.0.1:4780", "Origin": origin}, LOCAL)


def test_a_server_that_others_reach_is_called_by_the_names_it_was_given() -> None:
    hosts = hosts_of(RpcSection(host="10.0.0.7", allowed_hosts=("Node.example.org",)))
    check_host({"Host": "node.example.org:4780"}, hosts)
    check_host({"Host": "10.0.0.7:4780"}, hosts)
    with pytest.raises(Refused):
        check_host({"Host": "localhost:4780"}, hosts)


@pytest.mark.parametrize("kind", ["application/json", "Application/JSON; charset=utf-8"])
def test_json_is_taken(kind: str) -> None:
    check_type({"Content-Type": kind})


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Content-Type": "text/plain"},
        {"Content-Type": "application/x-www-form-urlencoded"},
        {"Content-Type": "multipart/form-data; boundary=application/json"},
        {"Content-Type": "application/json-patch+json"},
        {"Content-Type": "application/json; charset=utf-16"},
        {"Content-Type": "application/json, text/plain"},
        {"Content-Type": "application/json", "Content-Encoding": "gzip"},
    ],
)
def test_attack_what_a_page_may_send_unasked_is_refused(headers: dict[str, str]) -> None:
    with pytest.raises(Refused) as refused:
        check_type(headers)
    assert refused.value.code is Code.NOT_JSON


def test_an_announced_length_is_held_to_the_limit() -> None:
    check_length({}, 1000)
    check_length({"Content-Length": "1000"}, 1000)
    for said in ("1001", "9" * 5000, "-1", "1 1"):
        with pytest.raises(Refused) as refused:
            check_length({"Content-Length": said}, 1000)
        assert refused.value.code is Code.BODY_TOO_LARGE


# ------------------------------------------------------------------ tokens


def bearer(folder: Path, scope: Scope) -> str:
    return f"Bearer {token_file(folder, scope).read_text().strip()}"


def test_tokens_are_made_once_for_their_owner_alone(tmp_path: Path) -> None:
    tokens = open_tokens(tmp_path)
    for scope in Scope:
        assert token_file(tmp_path, scope).stat().st_mode & 0o777 == 0o600
        assert tokens.scopes(bearer(tmp_path, scope)) == scope.includes
    assert bearer(tmp_path, Scope.READ) != bearer(tmp_path, Scope.OPERATE)
    assert Scope.READ.includes == {Scope.READ} and Scope.OPERATE.includes == set(Scope)
    before = bearer(tmp_path, Scope.READ)
    assert open_tokens(tmp_path).scopes(before) == {Scope.READ}


def test_a_deleted_token_is_void_after_the_next_start(tmp_path: Path) -> None:
    open_tokens(tmp_path)
    before = bearer(tmp_path, Scope.READ)
    token_file(tmp_path, Scope.READ).unlink()
    assert open_tokens(tmp_path).scopes(before) is None


def test_attack_any_other_header_lets_nobody_in(tmp_path: Path) -> None:
    tokens = open_tokens(tmp_path)
    good = bearer(tmp_path, Scope.READ)
    changed = good[:-1] + ("A" if good[-1] != "A" else "B")
    empty = "Bearer " + "A" * 43
    for header in (None, "", "Bearer", "Bearer ", good + "x", good[:-1], good[7:], "Basic " + good[7:],
                   f"{good}, {good}", changed, empty, good + "\n"):  # fmt: skip
        assert tokens.scopes(header) is None, header


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o620])
def test_attack_a_token_that_others_can_read_or_write_is_not_used(tmp_path: Path, mode: int) -> None:
    open_tokens(tmp_path)
    token_file(tmp_path, Scope.READ).chmod(mode)
    with pytest.raises(Fatal, match="open to other accounts") as refused:
        open_tokens(tmp_path)
    assert refused.value.code is Exit.CONFIG


@pytest.mark.parametrize("text", ["", "short\n", "é" * 43, "A" * 44])
def test_a_file_without_a_token_is_not_used(tmp_path: Path, text: str) -> None:
    open_tokens(tmp_path)
    token_file(tmp_path, Scope.OPERATE).write_text(text)
    with pytest.raises(Fatal, match="does not hold"):
        open_tokens(tmp_path)


def test_attack_a_link_or_pipe_in_place_of_a_token_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").write_text("A" * 43)
    (tmp_path / "elsewhere").chmod(0o600)
    token_file(tmp_path, Scope.READ).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(Fatal, match="cannot be read"):
        open_tokens(tmp_path)
    token_file(tmp_path, Scope.READ).unlink()
    os.mkfifo(token_file(tmp_path, Scope.READ), 0o600)
    with pytest.raises(Fatal, match="no regular file"):
        open_tokens(tmp_path)


def test_attack_a_socket_of_a_page_brings_a_token_in_one_way_alone() -> None:
    token = "A" * 43
    assert bearer_of_socket(f"Bearer {token}", None) == f"Bearer {token}"
    assert bearer_of_socket(None, f"jepanet.rpc, bearer.{token}") == f"Bearer {token}"
    good = f"jepanet.rpc, bearer.{token}"
    for offered in ("", "jepanet.rpc", f"bearer.{token}", f"bearer.{token}, jepanet.rpc",
                    f"other, bearer.{token}", f"{good}, other", f"{good}A"):  # fmt: skip
        assert bearer_of_socket(None, offered) is None, offered
    assert bearer_of_socket(f"Bearer {token}", f"jepanet.rpc, bearer.{token}") is None


# ------------------------------------------------------------------ configuration


@pytest.mark.parametrize(
    ("section", "told"),
    [
        (RpcSection(host="localhost"), "no IP address"),
        (RpcSection(host="0.0.0.0"), "names nobody"),
        (RpcSection(host="::"), "names nobody"),
        (RpcSection(allowed_hosts=("http://a.example",)), "no host name"),
        (RpcSection(allowed_hosts=("a.example:80",)), "no host name"),
        (RpcSection(allowed_hosts=("*",)), "no host name"),
        (RpcSection(allowed_hosts=("",)), "no host name"),
    ],
)
def test_a_section_that_nobody_could_mean_is_refused(section: RpcSection, told: str) -> None:
    with pytest.raises(Fatal, match=told) as refused:
        check_rpc(section)
    assert refused.value.code is Exit.CONFIG and refused.value.remedy


def test_a_server_is_off_unless_asked_for_and_at_loopback_unless_told() -> None:
    section = RpcSection()
    check_rpc(section)
    check_rpc(RpcSection(host="0.0.0.0", allowed_hosts=("node.example.org", "10.0.0.7", "fe80::1")))
    assert not section.enabled and section.host == "127.0.0.1"
