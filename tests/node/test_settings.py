"""Settings: written whole, read strictly, and errors that name the key."""

import re
import stat
from dataclasses import replace
from pathlib import Path

import pytest

from telcon.core.seal import Person
from telcon.errors import SettingsError
from telcon.node.settings import (
    FILE_NAME,
    LineSettings,
    LinkSettings,
    MediaSettings,
    NodeSettings,
    WebSettings,
)

SETTINGS = NodeSettings(
    name="arcadia.example",
    organisation="Republic of Arcadia",
    principal=Person("en", "Adrian Rey", "President", "Republic of Arcadia"),
    web=WebSettings("127.0.0.1", 8400, ("arcadia.localhost",)),
    link=LinkSettings("0.0.0.0", 8401, 8402, ("link.arcadia.example:8401", "[2001:db8::1]:8401")),
    media=MediaSettings("::", 8403, ("192.0.2.1", "2001:db8::1")),
    line=LineSettings(60),
)

WRITTEN = """\
name = "arcadia.example"
organisation = "Republic of Arcadia"

[principal]
lang = "en"
name = "Adrian Rey"
office = "President"

[web]
host = "127.0.0.1"
port = 8400
names = ["arcadia.localhost"]
https_port = 0

[link]
host = "0.0.0.0"
port = 8401
pairing_port = 8402
addresses = ["link.arcadia.example:8401", "[2001:db8::1]:8401"]

[media]
host = "::"
port = 8403
hosts = ["192.0.2.1", "2001:db8::1"]

[line]
test_every_minutes = 60
recorder_stopped = "go on"

[push]
services = []

[public]
listen = ""
"""


def test_settings_are_written_for_people(tmp_path: Path) -> None:
    SETTINGS.write(tmp_path)
    assert (tmp_path / FILE_NAME).read_text() == WRITTEN
    assert stat.S_IMODE((tmp_path / FILE_NAME).stat().st_mode) == 0o600


def test_settings_come_back(tmp_path: Path) -> None:
    SETTINGS.write(tmp_path)
    assert NodeSettings.read(tmp_path) == SETTINGS


@pytest.mark.parametrize(
    "name", ['Zoë "Zo" Ärm', "back\\slash", "多言語", "Ada O'Neil", "# no comment"]
)
def test_names_of_all_kinds_come_back(tmp_path: Path, name: str) -> None:
    person = Person("de", name, name, SETTINGS.organisation)
    replace(SETTINGS, principal=person).write(tmp_path)
    assert NodeSettings.read(tmp_path).principal == person


def test_settings_are_never_overwritten(tmp_path: Path) -> None:
    SETTINGS.write(tmp_path)
    with pytest.raises(SettingsError, match="there already"):
        replace(SETTINGS, name="borealis.example").write(tmp_path)
    assert NodeSettings.read(tmp_path) == SETTINGS


def test_browsers_are_sent_to_the_node_itself_where_no_proxy_stands_in_front() -> None:
    web = WebSettings("127.0.0.1", 0, ("arcadia.localhost",))
    assert web.address(8400) == "http://arcadia.localhost:8400/"
    assert web.hosts(8400) == ("arcadia.localhost:8400", "127.0.0.1:8400")


@pytest.mark.parametrize(
    ("https_port", "host"), [(443, "telcon.arcadia.example"), (8443, "telcon.arcadia.example:8443")]
)
def test_browsers_are_sent_to_the_https_proxy_as_they_name_it(https_port: int, host: str) -> None:
    web = WebSettings("127.0.0.1", 8400, ("telcon.arcadia.example",), https_port)
    assert web.address(8400) == f"https://{host}/"
    assert host in web.hosts(8400)


@pytest.mark.parametrize(
    "wrong",
    [
        replace(SETTINGS, name="Arcadia Example"),
        replace(SETTINGS, organisation=""),
        replace(SETTINGS, organisation="Another than the principal's"),
        replace(SETTINGS, web=WebSettings("127.0.0.1", 65_536, ("a.localhost",))),
        replace(SETTINGS, web=WebSettings("127.0.0.1", 8400, ())),
    ],
)
def test_what_would_not_be_read_back_is_not_written(tmp_path: Path, wrong: NodeSettings) -> None:
    with pytest.raises(SettingsError):
        wrong.write(tmp_path)
    assert list(tmp_path.iterdir()) == []


def read_with(folder: Path, old: str, new: str) -> SettingsError:
    """Return the error of reading `WRITTEN` with `old` in place of `new`."""
    assert old in WRITTEN
    (folder / FILE_NAME).write_text(WRITTEN.replace(old, new, 1))
    with pytest.raises(SettingsError) as caught:
        NodeSettings.read(folder)
    return caught.value


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (
            '"arcadia.example"',
            '"Arcadia"',
            "name: expected a name like arcadia.example, got 'Arcadia'",
        ),
        ('"arcadia.example"', '"a..example"', "name: expected a name"),
        ('"arcadia.example"', '"-a.example"', "name: expected a name"),
        ('"arcadia.example"', f'"{"a." * 100}example"', "name: expected a name"),
        ("8400", "65536", "web.port: expected a port number from 0 to 65535, got 65536"),
        ("8400", "-1", "web.port: expected a port number"),
        ("8400", '"8400"', "web.port: expected a port number from 0 to 65535, got '8400'"),
        ("8400", "true", "web.port: expected a port number"),
        (
            "= 60",
            "= 10081",
            "line.test_every_minutes: expected 0, or a number of minutes from 5 to 10080",
        ),
        ("= 60", "= -1", "line.test_every_minutes: expected 0, or a number"),
        ("= 60", "= 4", "line.test_every_minutes: expected 0, or a number"),
        ("= 60", "= true", "line.test_every_minutes: expected 0, or a number"),
        ("port = 8401\n", "", "link.port: expected a port number from 0 to 65535, got nothing"),
        ('"Adrian Rey"', '""', "principal.name: expected a text of 1 to 200 characters"),
        ('"Adrian Rey"', r'"a\u202eb"', "principal.name: expected a text"),
        ('"Adrian Rey"', f'"{"x" * 201}"', "principal.name: expected a text"),
        ('"en"', '"english language"', "principal.lang: expected a language tag like en"),
        ('["arcadia.localhost"]', "[]", "web.names: expected a list of 1 to 16 host names, got []"),
        ('["arcadia.localhost"]', '"arcadia.localhost"', "web.names: expected a list"),
        ('"127.0.0.1"', '"http://a"', "web.host: expected a host name or IP address"),
        ('"[2001:db8::1]:8401"', '"link.example"', "link.addresses: expected a list"),
        ('"192.0.2.1"', '"media.example"', "media.hosts: expected a list of 0 to 16 IP addresses"),
        ('listen = ""', 'listen = "8404"', "public.listen: expected an address like"),
        ('listen = ""', "listen = 8404", "public.listen: expected an address like"),
        ('listen = ""', 'listen = "h:0"', "public.listen: expected an address like"),
        ('listen = ""', 'listen = ""\nport = 1', "public.port: expected no such key"),
        ("[media]", "[medium]", "media: expected a table, got nothing"),
        ("[web]", "[web]\ncolour = 1", "web.colour: expected no such key, got it"),
        ("name = ", "colour = 1\nname = ", "colour: expected no such key, got it"),
        (
            '"President"',
            '"President"\norganisation = "x"',
            "principal.organisation: expected no such",
        ),
    ],
)
def test_a_wrong_value_is_named(tmp_path: Path, old: str, new: str, said: str) -> None:
    error = read_with(tmp_path, old, new)
    assert str(error).startswith(f"{tmp_path / FILE_NAME}: {said}")
    assert re.match(r"Mend \S+ in .* and start again\.", error.advice())


@pytest.mark.parametrize(("old", "new"), [("[web]", "[web"), ("Adrian", "Adrian\x00")])
def test_a_file_that_is_no_toml_is_named(tmp_path: Path, old: str, new: str) -> None:
    assert f"{tmp_path / FILE_NAME} cannot be read" in str(read_with(tmp_path, old, new))


def test_a_file_that_is_no_utf_8_is_named(tmp_path: Path) -> None:
    (tmp_path / FILE_NAME).write_bytes(b'name = "\xff"')
    with pytest.raises(SettingsError, match="cannot be read"):
        NodeSettings.read(tmp_path)


def test_a_folder_without_a_node_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="there is no") as caught:
        NodeSettings.read(tmp_path)
    assert "telcon node init" in caught.value.advice()


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="cannot be written"):
        SETTINGS.write(tmp_path / "no folder")


def test_a_file_from_before_line_tests_is_told_what_to_add(tmp_path: Path) -> None:
    error = read_with(
        tmp_path, '\n[line]\ntest_every_minutes = 60\nrecorder_stopped = "go on"\n', ""
    )
    assert "there is no [line] yet" in str(error)
    assert "[line] and test_every_minutes = 60" in error.advice()
    added = (tmp_path / FILE_NAME).read_text() + "[line]\ntest_every_minutes = 60\n"
    (tmp_path / FILE_NAME).write_text(added)
    assert NodeSettings.read(tmp_path) == SETTINGS


def test_a_file_from_before_public_addresses_has_none(tmp_path: Path) -> None:
    (tmp_path / FILE_NAME).write_text(WRITTEN.replace('\n[public]\nlisten = ""\n', ""))
    assert NodeSettings.read(tmp_path) == SETTINGS
    assert NodeSettings.read(tmp_path).public.address is None


def test_a_public_address_is_where_to_listen(tmp_path: Path) -> None:
    text = WRITTEN.replace('listen = ""', 'listen = "[::1]:8404"')
    (tmp_path / FILE_NAME).write_text(text)
    assert NodeSettings.read(tmp_path).public.address == ("::1", 8404)
