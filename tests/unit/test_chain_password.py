"""Passwords: one text is one password. Nothing is decoded by guesswork; what version 0.1 made still opens."""

from __future__ import annotations

import os
import unicodedata
from pathlib import Path

import pytest
import structlog

from jepanet.chain.keys.password import Password, password_of, read_password
from jepanet.chain.keys.secret_files import read_secret
from jepanet.chain.keys.wallet_files import (
    WalletFile,
    change_password,
    create_wallet,
    import_key,
    import_keystore,
    load_wallet,
)
from jepanet.errors import Exit, Fatal
from jepanet.interface.cli import main
from jepanet.operations import keys
from jepanet.settings.config import WalletSection
from jepanet.settings.unlock import unlock
from jepanet.telemetry import Secret

pytestmark = pytest.mark.unit

N = 2**4
KEY = Secret("11" * 32)
GIVEN = "pässwörd"


def file_of(folder: Path, data: bytes, name: str = "password") -> Path:
    path = folder / name
    path.write_bytes(data)
    path.chmod(0o600)
    return path


def typed(text: str) -> Password:
    """What was under the keystore, whatever today's rules for new ones are."""
    return Password(Secret(text))


def made_by_version_0_1(folder: Path, data: bytes) -> WalletFile:
    """A keystore under what version 0.1 took the bytes of a password file for."""

    class Unchecked(Password):
        def chosen(self) -> Secret[str]:
            return self.given

    former = data.decode("utf-8", "replace").split("\n", 1)[0].removesuffix("\r")
    return import_key(folder / "old", KEY, Unchecked(Secret(former)), scrypt_n=N)


@pytest.mark.parametrize("end", [b"", b"\n", b"\r\n", b"\nsecond line\n"])
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_mark_and_line_end_are_no_part_of_a_password(tmp_path: Path, end: bytes, mark: bytes) -> None:
    password = read_password(file_of(tmp_path, mark + GIVEN.encode() + end))
    assert password.chosen().reveal() == GIVEN


@pytest.mark.parametrize("text", [" a b ", "\ta", "a ", "a\r\r"])
def test_spaces_belong_to_it(tmp_path: Path, text: str) -> None:
    held = read_password(file_of(tmp_path, text.encode() + b"\n")).chosen().reveal()
    assert held == text.removesuffix("\r")


@pytest.mark.parametrize("end", ["", "\n", "\r\n"])
def test_file_environment_and_terminal_are_read_alike(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, end: str
) -> None:
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr("getpass.getpass", lambda prompt: GIVEN + end)
    from_file = read_password(file_of(tmp_path, (GIVEN + end).encode())).chosen()
    assert from_file == read_password(None).chosen() == password_of(GIVEN + end).chosen()


@pytest.mark.parametrize("data", [b"", b"\n", b"\r\n", b"\nx", b"\xef\xbb\xbf", b"\xef\xbb\xbf\nx"])
def test_an_empty_password_is_refused(tmp_path: Path, data: bytes) -> None:
    with pytest.raises(Fatal, match="empty"):
        read_password(file_of(tmp_path, data))


LATIN = GIVEN.encode("latin-1")


@pytest.mark.parametrize(
    "data", [LATIN, GIVEN.encode("utf-16"), GIVEN.encode("utf-16-le"), b"\xff\xfe", b"good\n\xff comment"]
)
def test_no_keystore_is_made_under_a_file_that_is_not_utf8(tmp_path: Path, data: bytes) -> None:
    password = read_password(file_of(tmp_path, data))
    makers = [
        lambda: create_wallet(tmp_path / "w", password, scrypt_n=N),
        lambda: import_key(tmp_path / "w", KEY, password, scrypt_n=N),
    ]
    for make in makers:
        with pytest.raises(Fatal, match="UTF-8") as caught:
            make()
        assert caught.value.code is Exit.WALLET
        assert "iconv" in (caught.value.remedy or "")
    assert not (tmp_path / "w").exists()


def test_a_password_that_a_conversion_has_damaged_makes_no_keystore(tmp_path: Path) -> None:
    with pytest.raises(Fatal, match="U\\+FFFD"):
        create_wallet(tmp_path / "w", password_of("p\ufffdssword"), scrypt_n=N)


def test_attack_another_latin_1_password_does_not_open_a_wallet(tmp_path: Path) -> None:
    create_wallet(tmp_path / "w", password_of(GIVEN), scrypt_n=N)
    for text in (GIVEN, "pßsswörd", "pässwßrd"):
        password = read_password(file_of(tmp_path, text.encode("latin-1")))
        with pytest.raises(Fatal, match="not UTF-8") as caught:
            load_wallet(tmp_path / "w", password)
        assert "iconv" in (caught.value.remedy or ""), "it is not called a wrong password"


def test_attack_no_former_reading_is_one_that_a_keystore_can_be_made_under(tmp_path: Path) -> None:
    for data in (LATIN, b"\xff" * 8, b"a\xffb\n", GIVEN.encode("utf-16")):
        password = read_password(file_of(tmp_path, data))
        for reading in password.readings():
            assert reading.former
            with pytest.raises(Fatal):
                typed(reading.text.reveal()).chosen()


@pytest.mark.parametrize("form", ["NFC", "NFD"])
@pytest.mark.parametrize("given", ["NFC", "NFD"])
def test_composed_and_decomposed_letters_are_one_password(tmp_path: Path, form: str, given: str) -> None:
    made = create_wallet(tmp_path / "w", password_of(unicodedata.normalize(form, GIVEN)), scrypt_n=N)
    assert (
        load_wallet(tmp_path / "w", password_of(unicodedata.normalize(given, GIVEN))).address == made.address
    )


@pytest.mark.parametrize("given", ["NFC", "NFD"])
@pytest.mark.parametrize("held", ["NFC", "NFD"])
def test_keystores_of_other_programs_open_under_either_form(tmp_path: Path, held: str, given: str) -> None:
    made = made_by_version_0_1(tmp_path, unicodedata.normalize(held, GIVEN).encode())
    with structlog.testing.capture_logs() as lines:
        wallet = load_wallet(tmp_path / "old", password_of(unicodedata.normalize(given, GIVEN)))
    assert wallet.address == made.address
    assert not lines


@pytest.mark.parametrize("data", [LATIN + b"\n", b"\xef\xbb\xbfsecret\r\n", GIVEN.encode("utf-16")])
def test_a_wallet_made_by_version_0_1_opens_with_an_alarm_until_it_is_encrypted_anew(
    tmp_path: Path, data: bytes
) -> None:
    made = made_by_version_0_1(tmp_path, data)
    old = read_password(file_of(tmp_path, data))
    with structlog.testing.capture_logs() as lines:
        assert load_wallet(tmp_path / "old", old).address == made.address
    (line,) = lines
    assert line["event"] == "password.outdated"
    assert "jepanet wallet password" in line["remedy"]

    new = password_of("another pässword")
    change_password(tmp_path / "old", old, new, scrypt_n=N)
    with structlog.testing.capture_logs() as lines:
        assert load_wallet(tmp_path / "old", new).address == made.address
    assert not lines
    with pytest.raises(Fatal):
        load_wallet(tmp_path / "old", old)
    assert [path.name for path in (tmp_path / "old").iterdir()] == [made.path.name]
    assert made.path.stat().st_mode & 0o777 == 0o600


def test_a_mark_before_an_old_password_opens_under_the_marked_and_the_plain_file(tmp_path: Path) -> None:
    made_by_version_0_1(tmp_path, b"secret")
    password = read_password(file_of(tmp_path, b"\xef\xbb\xbfsecret"))
    with structlog.testing.capture_logs() as lines:
        load_wallet(tmp_path / "old", password)
    assert not lines


def test_an_imported_keystore_is_kept_under_the_strict_reading(tmp_path: Path) -> None:
    data = b"\xef\xbb\xbfsecret"
    made = made_by_version_0_1(tmp_path, data)
    with structlog.testing.capture_logs():
        import_keystore(tmp_path / "new", made.path, read_password(file_of(tmp_path, data)), scrypt_n=N)
    assert load_wallet(tmp_path / "new", password_of("secret")).address == made.address
    made_latin = import_key_under_latin(tmp_path)
    with structlog.testing.capture_logs(), pytest.raises(Fatal, match="not UTF-8"):
        import_keystore(tmp_path / "other", made_latin, read_password(file_of(tmp_path, LATIN)), scrypt_n=N)
    assert not (tmp_path / "other").exists()


def import_key_under_latin(tmp_path: Path) -> Path:
    (tmp_path / "latin").mkdir()
    return made_by_version_0_1(tmp_path / "latin", LATIN).path


def test_a_new_password_that_cannot_be_used_leaves_the_wallet_as_it_is(tmp_path: Path) -> None:
    made = create_wallet(tmp_path / "w", password_of("a"), scrypt_n=N)
    before = made.path.read_bytes()
    for old, new in (("a", read_password(file_of(tmp_path, LATIN))), ("wrong", password_of("b"))):
        with pytest.raises(Fatal):
            change_password(tmp_path / "w", password_of(old), new, scrypt_n=N)
    assert made.path.read_bytes() == before
    assert [path.name for path in (tmp_path / "w").iterdir()] == [made.path.name]


def test_the_command_encrypts_anew(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made = made_by_version_0_1(tmp_path, LATIN)
    old, new = file_of(tmp_path, LATIN), file_of(tmp_path, GIVEN.encode(), "new")
    with pytest.raises(SystemExit) as caught:
        main(["wallet", "password", made.address, "--dir", str(tmp_path / "old"), "--password-file", str(old),
              "--new-password-file", str(new), "--light", "--json"])  # fmt: skip
    assert caught.value.code == 0, capsys.readouterr().err
    assert load_wallet(tmp_path / "old", read_password(new)).address == made.address


# ------------------------------------------------------------------ key files and keystores


@pytest.mark.parametrize("data", [b"\xef\xbb\xbf" + b"11" * 32 + b"\r\n", b" 0x" + b"11" * 32 + b"\n"])
def test_a_key_file_may_have_a_mark(tmp_path: Path, data: bytes) -> None:
    made = keys.bring(tmp_path / "w", file_of(tmp_path, data, "key"), file_of(tmp_path, b"x"))
    assert made.address == "0x19E7E376E7C213B7E7e7e46cc70A5dD086DAff2A"


@pytest.mark.parametrize("data", [("11" * 32).encode("utf-16"), b"11" * 31 + b"\xff1"])
def test_a_key_file_that_is_not_utf8_is_named_so(tmp_path: Path, data: bytes) -> None:
    with pytest.raises(Fatal, match="UTF-8") as caught:
        keys.bring(tmp_path / "w", file_of(tmp_path, data, "key"), file_of(tmp_path, b"x"))
    assert caught.value.code is Exit.WALLET
    assert "1111" not in str(caught.value)


def test_a_keystore_may_have_a_mark(tmp_path: Path) -> None:
    made = create_wallet(tmp_path / "w", password_of("x"), scrypt_n=N)
    made.path.write_bytes(b"\xef\xbb\xbf" + made.path.read_bytes())
    assert load_wallet(tmp_path / "w", password_of("x")).address == made.address


# ------------------------------------------------------------------ the environment and containers


@pytest.mark.parametrize("name", ["WALLET_SECRET", "JEPANET_WALLET_PASSWORD"])
def test_a_password_from_the_environment_is_inherited_by_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    made = create_wallet(tmp_path / "w", password_of(GIVEN), scrypt_n=N)
    monkeypatch.setenv(name, GIVEN + "\n")
    section = WalletSection(directory=tmp_path / "w", password_env=name)
    for _ in range(2):  # some commands unlock twice
        assert unlock(section).address == made.address
        assert name not in os.environ


def test_a_variable_that_is_not_set_is_named(tmp_path: Path) -> None:
    with pytest.raises(Fatal, match="NOBODY_SETS_THIS") as caught:
        unlock(WalletSection(directory=tmp_path, password_env="NOBODY_SETS_THIS"))
    assert caught.value.code is Exit.WALLET


def test_bytes_of_the_environment_that_are_not_utf8_are_refused() -> None:
    with pytest.raises(Fatal, match="not UTF-8") as caught:
        password_of(os.fsdecode(LATIN))
    assert "ssw" not in str(caught.value).replace("password", "")


def on_a_mount(monkeypatch: pytest.MonkeyPatch, *, read_only: bool, owner: int) -> None:
    """Lets every file seem to be of `owner` and on such a mount."""
    status, mount = os.fstat, os.fstatvfs

    def fstat(descriptor: int) -> os.stat_result:
        fields = list(status(descriptor))
        fields[4] = owner
        return os.stat_result(fields)

    class Mount:
        def __init__(self, descriptor: int) -> None:
            flags = mount(descriptor).f_flag & ~os.ST_RDONLY
            self.f_flag = flags | (os.ST_RDONLY if read_only else 0)

    monkeypatch.setattr(os, "fstat", fstat)
    monkeypatch.setattr(os, "fstatvfs", Mount)


@pytest.mark.parametrize("mode", [0o440, 0o444, 0o644])
def test_a_container_s_secret_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mode: int) -> None:
    path = file_of(tmp_path, b"secret\n")
    path.chmod(mode)
    on_a_mount(monkeypatch, read_only=True, owner=0)
    assert read_password(path).chosen().reveal() == "secret"


@pytest.mark.parametrize(
    ("mode", "read_only", "owner"),
    [(0o444, False, 0), (0o444, True, 1000), (0o666, True, 0), (0o464, True, 0), (0o445, True, 0)],
)
def test_attack_what_only_looks_like_a_container_s_secret_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mode: int, read_only: bool, owner: int
) -> None:
    path = file_of(tmp_path, b"secret\n")
    path.chmod(mode)
    on_a_mount(monkeypatch, read_only=read_only, owner=owner)
    with pytest.raises(Fatal, match="open to other users") as caught:
        read_password(path)
    assert "chmod 600" in (caught.value.remedy or "")


def test_a_credential_of_the_service_manager_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "credentials"
    folder.mkdir()
    file_of(folder, b"secret\n", "wallet").chmod(0o440)
    made = create_wallet(tmp_path / "w", password_of("secret"), scrypt_n=N)
    section = WalletSection(directory=tmp_path / "w", password_credential="wallet")
    with pytest.raises(Fatal, match="no credentials"):
        unlock(section)
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(folder))
    on_a_mount(monkeypatch, read_only=False, owner=0)
    assert unlock(section).address == made.address
    aside = file_of(tmp_path, b"secret\n", "aside")
    aside.chmod(0o440)
    with pytest.raises(Fatal, match="open to other users"):
        unlock(WalletSection(directory=tmp_path / "w", password_file=aside))


def test_beside_a_service_a_command_at_a_terminal_asks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An operator's deposit or check is handed no credential."""
    made = create_wallet(tmp_path / "w", password_of("secret"), scrypt_n=N)
    section = WalletSection(directory=tmp_path / "w", password_credential="wallet")
    monkeypatch.delenv("CREDENTIALS_DIRECTORY", raising=False)
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr("getpass.getpass", lambda *_, **__: "secret")
    assert unlock(section).address == made.address
    monkeypatch.setattr("sys.stdin.isatty", lambda: False, raising=False)
    with pytest.raises(Fatal, match="no credentials") as caught:
        unlock(section)
    assert "at a terminal" in (caught.value.remedy or "")


def test_a_named_pipe_does_not_keep_the_node_waiting(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe", 0o600)
    with pytest.raises(Fatal, match="not a file"):
        read_secret(tmp_path / "pipe", "password file")
