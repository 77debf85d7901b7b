"""Text files of people: UTF-8 with or without a mark, everything else refused by name and with a remedy."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from jepanet.errors import Exit, Fatal
from jepanet.texts import load_toml, read_json, read_text

pytestmark = pytest.mark.unit

TEXT = "größe = 1\n# ☃\n"


def file(tmp_path: Path, data: bytes) -> Path:
    path = tmp_path / "a file.txt"
    path.write_bytes(data)
    return path


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
def test_utf8_is_read_with_and_without_a_mark(tmp_path: Path, encoding: str) -> None:
    assert read_text(file(tmp_path, TEXT.encode(encoding)), "note") == TEXT


def test_one_mark_is_taken_off_and_only_at_the_start(tmp_path: Path) -> None:
    assert read_text(file(tmp_path, "\ufeff\ufeffa\ufeff".encode()), "note") == "\ufeffa\ufeff"


@pytest.mark.parametrize(
    ("data", "says"),
    [
        ("x = 1\ngröße = 2\n".encode("latin-1"), "byte 9, in line 2"),
        (b"\xff", "byte 1, in line 1"),
        (b"a\xed\xa0\x80", "byte 2, in line 1"),  # a surrogate
        (b"\xc0\xaf", "byte 1"),  # an overlong slash
        (b"a\xe2\x98", "byte 2"),  # cut off
        (TEXT.encode("utf-16"), "UTF-16"),
        (b"\xfe\xff" + TEXT.encode("utf-16-be"), "UTF-16"),
        (TEXT.encode("utf-32"), "UTF-32"),
        ("abc".encode("utf-16-le"), "zero byte"),
    ],
)
def test_other_encodings_are_refused_with_their_place_and_a_remedy(
    tmp_path: Path, data: bytes, says: str
) -> None:
    path = file(tmp_path, data)
    with pytest.raises(Fatal) as caught:
        read_text(path, "note", code=Exit.WALLET)
    assert caught.value.code is Exit.WALLET
    assert says in caught.value.message
    assert f"note {path}" in caught.value.message
    assert "iconv -f" in (caught.value.remedy or "")
    assert f"'{path}'" in (caught.value.remedy or ""), "the command can be pasted as it is"


def test_a_refusal_holds_no_byte_of_the_file(tmp_path: Path) -> None:
    secret = "pässwörd".encode("latin-1")
    with pytest.raises(Fatal) as caught:
        read_text(file(tmp_path, secret), "password file")
    error: BaseException | None = caught.value
    shown = ""
    while error is not None:
        shown += repr(error) + repr(error.__cause__)
        error = error.__cause__
    assert "0xe4" not in shown
    assert "ssw" not in shown.replace("password", "")


def test_a_file_above_the_cap_is_refused(tmp_path: Path) -> None:
    assert read_text(file(tmp_path, b"x" * 10), "note", max_bytes=10) == "x" * 10
    with pytest.raises(Fatal, match="larger than 10 bytes"):
        read_text(file(tmp_path, b"x" * 11), "note", max_bytes=10)


@pytest.mark.parametrize("name", ["missing", ".", "a\0b"])
def test_what_cannot_be_read_is_named(tmp_path: Path, name: str) -> None:
    with pytest.raises(Fatal, match=r"(there is no|cannot read the) note") as caught:
        read_text(tmp_path / name, "note")
    assert caught.value.remedy


def test_json_of_people(tmp_path: Path) -> None:
    assert read_json(file(tmp_path, b'\xef\xbb\xbf{"a": [1]}\r\n'), "list") == {"a": [1]}


@pytest.mark.parametrize(
    "data", [b"", b"{", b'{"a": 1, "a": 2}', b'[{"b": {"a": 1, "a": 1}}]', b"[" * 60_000]
)
def test_json_that_is_none_or_says_a_thing_twice_is_refused(tmp_path: Path, data: bytes) -> None:
    with pytest.raises(Fatal, match="is not JSON") as caught:
        read_json(file(tmp_path, data), "list")
    assert caught.value.remedy


def test_toml_of_people() -> None:
    assert load_toml("a = 1 # one\n[b]\nc.d = [1.5, 'x']\r\n", "list", "f") == {
        "a": 1,
        "b": {"c": {"d": [1.5, "x"]}},
    }


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("a = 1\na = 2\n", "not valid TOML"),
        ("[a]\nb = 1\n[a]\nc = 1\n", "not valid TOML: .*line 3"),
        ("a = 1\nb = \n", "not valid TOML: .*line 2"),
        ("a = {b = 1, b = 2}", "not valid TOML"),
        ("a = " + "9" * 5000, "not valid TOML"),
        ("a = " + "[" * 60_000, "nested too deeply|not valid TOML"),
        ("a = " + "[" * 65 + "]" * 65, "nested too deeply"),
        ("a = " + "{a = " * 30_000, "nested too deeply"),
        ("a" + ".a" * 500_000 + " = 1", "nested too deeply"),
        ("[" + "a . " * 500_000 + "a]", "nested too deeply"),
        ("\n".join(f"[{'.'.join(['x'] * deep)}]" for deep in range(1, 80)), "nested too deeply"),
        ("'a'" + ".'a'" * 200_000 + " = 1", "nested too deeply"),
        ('"\\""' + '."\\""' * 200_000 + " = 1", "nested too deeply"),
        ("[[a]]\n" + "[[a.a]]\n", None),
        ('"' * 1_000_000, "not valid TOML"),
        ('\\"' * 500_000, "not valid TOML"),
        ("a = [" + ',"\\"' * 200_000, "not valid TOML"),
        ('x = {b = """\n\' """, a' + ".a" * 400_000 + " = 1} # '", "nested too deeply"),
        ("a" * 1_000_000, "not valid TOML"),
    ],
    ids=lambda value: repr(value)[:24],
)
def test_toml_that_is_none_or_deep_is_refused_without_delay(text: str, says: str | None) -> None:
    """Parts of a key cost tomllib time in their square: half a million would take days."""
    if says is None:
        assert load_toml(text, "list", "f")
        return
    with pytest.raises(Fatal, match=says) as caught:
        load_toml(text, "list", "f", code=Exit.USAGE)
    assert caught.value.code is Exit.USAGE
    assert "list f" in caught.value.message and len(str(caught.value)) < 400


def test_nesting_is_counted_where_other_libraries_allow_deep_recursion() -> None:
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(100_000)
    try:
        with pytest.raises(Fatal, match="nested too deeply"):
            load_toml("a = " + "[" * 10_000 + "]" * 10_000, "list", "f")
    finally:
        sys.setrecursionlimit(before)
