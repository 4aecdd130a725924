"""A node's settings: `node.toml` in its folder, written by `telcon node init`, read at each start.

Read strictly: a key that is missing, unknown or of the wrong kind is named with what was expected.
There is a default for nothing: `telcon node init` writes every key, so the file shows all there is.
Only `[public]`, which is off unless somebody turns it on, may be missing in an older file.
"""

import ipaddress
import json
import os
import re
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from telcon.core.duties import RECORDER_CONDITIONS, Firmness
from telcon.core.seal import Person
from telcon.errors import MalformedError, SettingsError
from telcon.node.link.addresses import MAX_ADDRESSES, parse_address

__all__ = [
    "FILE_NAME",
    "LineSettings",
    "LinkSettings",
    "MediaSettings",
    "NodeSettings",
    "PublicSettings",
    "WebSettings",
    "settings_hash",
]

FILE_NAME = "node.toml"

# docs/protocol.md §1; a label is as in host names.
MAX_NAME_OCTETS = 200
_LABEL = r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"
_NAME = re.compile(rf"{_LABEL}(\.{_LABEL})*")
_LANG = re.compile(r"[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8})*")
_HOST = re.compile(r"[A-Za-z0-9._-]{1,253}")
MAX_TEXT_CHARACTERS = 200
MIN_TEST_MINUTES, MAX_TEST_MINUTES = 5, 10_080  # a week
LINE_SINCE = "[line] and test_every_minutes = 60"
PUSH_SINCE = "[push] and services = []"
HTTPS_PORT = 443  # browsers leave it out of addresses and of the Host header


@dataclass(frozen=True, slots=True)
class WebSettings:
    """Where the node's own people reach its pages."""

    host: str
    """Address to listen on."""
    port: int
    """TCP; 0 takes a free one."""
    names: tuple[str, ...]
    """Host names browsers may use; any other Host header is refused. The first stands in links."""
    https_port: int = 0
    """TCP port at which a proxy in front offers the pages over HTTPS; 0: there is none."""

    def address(self, port: int) -> str:
        """Return what a browser opens; `port` is where the node listens."""
        if self.https_port:
            return f"https://{self.names[0]}{_after_name(self.https_port)}/"
        return f"http://{self.names[0]}:{port}/"

    def hosts(self, port: int) -> tuple[str, ...]:
        """Return the Host headers that a browser may send; `port` is where the node listens."""
        found = [f"{name}:{port}" for name in (*self.names, self.host)]
        if self.https_port:
            found += [f"{name}{_after_name(self.https_port)}" for name in self.names]
        return tuple(found)


@dataclass(frozen=True, slots=True)
class LinkSettings:
    """Where peers reach the node."""

    host: str
    port: int
    """TCP, for the links of all lines."""
    pairing_port: int
    """TCP, for pairing alone."""
    addresses: tuple[str, ...]
    """`host:port` of the link as the other side dials it, stated at pairing. May be empty."""


@dataclass(frozen=True, slots=True)
class MediaSettings:
    """Where audio arrives."""

    host: str
    port: int
    """UDP, one for all legs and trunks."""
    hosts: tuple[str, ...]
    """IP addresses that browsers and the other node send to."""


@dataclass(frozen=True, slots=True)
class LineSettings:
    """What the node does about every line by itself."""

    test_every_minutes: int
    """How often it tests that the other side answers; 0: never."""
    recorder_stopped: Firmness = "go on"
    """What this side wants of a call in which a recorder stops; the firmer of both sides holds."""


@dataclass(frozen=True, slots=True)
class PushSettings:
    """Who may carry a ring to a browser while no page is open."""

    services: tuple[str, ...] = ()
    """Push services, as `host`, `host:port` or `*.host`; without any the node wakes nobody."""


@dataclass(frozen=True, slots=True)
class PublicSettings:
    """Where strangers may ask for checkpoints, and have theirs witnessed."""

    listen: str = ""
    """`host:port`, TCP; empty: nobody may."""

    @property
    def address(self) -> tuple[str, int] | None:
        """Host and port to listen on; None: nowhere."""
        return parse_address(self.listen) if self.listen else None


@dataclass(frozen=True, slots=True)
class NodeSettings:
    """All settings of a node."""

    name: str
    """DNS-like name of the node, part of every key's name: it never changes."""
    organisation: str
    principal: Person
    """The leader for whom the node exists; of `organisation`."""
    web: WebSettings
    link: LinkSettings
    media: MediaSettings
    line: LineSettings
    push: PushSettings = PushSettings()
    public: PublicSettings = PublicSettings()

    @classmethod
    def read(cls, folder: Path) -> "NodeSettings":
        """Read the settings of the node in `folder`.

        Raises:
            SettingsError: names the file, the key, what was expected and what stands there.
        """
        path = folder / FILE_NAME
        try:
            data = tomllib.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError as error:
            raise SettingsError(
                f"there is no {path}", advice="Make a node there first: `telcon node init`."
            ) from error
        except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
            raise SettingsError(
                f"{path} cannot be read: {error}", advice="Mend the file; it is TOML in UTF-8."
            ) from error
        return _settings(_Table(path, "", data))

    def write(self, folder: Path) -> None:
        """Write the settings into `folder` (0600), which holds none yet.

        Raises:
            SettingsError: there are settings already, the file cannot be written, or a value
                would not be read back.
        """
        text = _format(self)
        path = folder / FILE_NAME
        try:
            is_read_back = _settings(_Table(path, "", tomllib.loads(text))) == self
        except SettingsError as error:
            raise SettingsError(
                str(error), advice="Nothing was written. Give another value instead."
            ) from error
        if not is_read_back:
            raise SettingsError(f"the settings for {path} would not be read back as they are")
        try:
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                file.write(text)
        except FileExistsError as error:
            raise SettingsError(
                f"{path} is there already", advice="Use another folder, or edit the file."
            ) from error
        except OSError as error:
            raise SettingsError(
                f"{path} cannot be written: {error.strerror}",
                advice="Choose a folder that you own and may write to.",
            ) from error


class _Table:
    """One table of the file being read; every key must be taken once."""

    def __init__(self, path: Path, prefix: str, data: dict[str, Any]) -> None:
        self._path = path
        self._prefix = prefix
        self._data = dict(data)

    def take(self, key: str, expected: str, fits: Callable[[Any], bool]) -> Any:
        """Return the value of `key`, which must fit; `expected` says so in words."""
        if key not in self._data:
            raise self._error(key, expected, "nothing")
        value = self._data.pop(key)
        if not fits(value):
            raise self._error(key, expected, repr(value)[:100])
        return value

    def text(self, key: str) -> str:
        """Return a short text of one line."""
        found: str = self.take(key, f"a text of 1 to {MAX_TEXT_CHARACTERS} characters", _is_text)
        return found

    def host(self, key: str) -> str:
        """Return a host name or an IP address."""
        found: str = self.take(key, "a host name or IP address", _is_host)
        return found

    def port(self, key: str) -> int:
        """Return a port number."""
        found: int = self.take(key, "a port number from 0 to 65535", _is_port)
        return found

    def texts(
        self, key: str, expected: str, fits: Callable[[Any], bool], *, least: int = 0
    ) -> tuple[str, ...]:
        """Return a list of at least `least` texts that each fit."""
        found: list[str] = self.take(
            key,
            f"a list of {least} to {MAX_ADDRESSES} {expected}",
            lambda value: _is_list_of(value, fits) and len(value) >= least,
        )
        return tuple(found)

    def has(self, key: str) -> bool:
        """Say whether there is such a key."""
        return key in self._data

    def table(self, key: str, *, since: str = "") -> "_Table":
        """Return the table under `key`; `since` is what to add to a file from before there was it.

        Raises:
            SettingsError: there is no such table.
        """
        if since and key not in self._data:
            raise SettingsError(
                f"{self._path}: there is no [{self._prefix}{key}] yet",
                advice=f"This version of telcon wants it. Add these two lines at the end: {since}",
            )
        data = self.take(key, "a table", lambda value: isinstance(value, dict))
        return _Table(self._path, f"{self._prefix}{key}.", data)

    def end(self) -> None:
        """Refuse keys that nobody took."""
        for key in self._data:
            raise self._error(key, "no such key", "it")

    def _error(self, key: str, expected: str, got: str) -> SettingsError:
        return SettingsError(
            f"{self._path}: {self._prefix}{key}: expected {expected}, got {got}",
            advice=f"Mend {self._prefix}{key} in {self._path} and start again.",
        )


def settings_hash(folder: Path) -> str:
    """Return SHA-256, in hex, of the settings' file in `folder`.

    Raises:
        SettingsError: it cannot be read.
    """
    path = folder / FILE_NAME
    try:
        return sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise SettingsError(f"{path} cannot be read: {error}", advice="Mend the file.") from error


def _settings(table: _Table) -> NodeSettings:
    name = table.take("name", "a name like arcadia.example", _is_name)
    organisation = table.text("organisation")
    settings = NodeSettings(
        name=name,
        organisation=organisation,
        principal=_principal(table.table("principal"), organisation),
        web=_web(table.table("web")),
        link=_link(table.table("link")),
        media=_media(table.table("media")),
        line=_line(table.table("line", since=LINE_SINCE)),
        push=_push(table.table("push", since=PUSH_SINCE)),
        public=_public(table.table("public")) if table.has("public") else PublicSettings(),
    )
    table.end()
    return settings


def _principal(table: _Table, organisation: str) -> Person:
    person = Person(
        lang=table.take("lang", "a language tag like en", _is_lang),
        name=table.text("name"),
        office=table.text("office"),
        organisation=organisation,
    )
    table.end()
    return person


def _web(table: _Table) -> WebSettings:
    names = table.texts("names", "host names", _is_name, least=1)
    web = WebSettings(table.host("host"), table.port("port"), names, table.port("https_port"))
    table.end()
    return web


def _link(table: _Table) -> LinkSettings:
    addresses = table.texts("addresses", "addresses like link.arcadia.example:7443", _is_address)
    link = LinkSettings(
        table.host("host"), table.port("port"), table.port("pairing_port"), addresses
    )
    table.end()
    return link


def _media(table: _Table) -> MediaSettings:
    hosts = table.texts("hosts", "IP addresses", _is_ip)
    media = MediaSettings(table.host("host"), table.port("port"), hosts)
    table.end()
    return media


def _line(table: _Table) -> LineSettings:
    every = table.take(
        "test_every_minutes",
        f"0, or a number of minutes from {MIN_TEST_MINUTES} to {MAX_TEST_MINUTES}",
        _is_minutes,
    )
    stopped: Firmness = "go on"
    if table.has("recorder_stopped"):
        stopped = table.take("recorder_stopped", '"go on", "mute" or "end"', _is_firmness)
    table.end()
    return LineSettings(every, stopped)


def _push(table: _Table) -> PushSettings:
    services = table.texts("services", "hosts like push.example or *.push.example", _is_service)
    table.end()
    return PushSettings(services)


def _public(table: _Table) -> PublicSettings:
    listen = table.take("listen", 'an address like 127.0.0.1:8404, or ""', _is_address_or_none)
    table.end()
    return PublicSettings(listen)


def _after_name(https_port: int) -> str:
    return "" if https_port == HTTPS_PORT else f":{https_port}"


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and 0 < len(value) <= MAX_TEXT_CHARACTERS and value.isprintable()


def _is_name(value: Any) -> bool:
    fits = isinstance(value, str) and len(value) <= MAX_NAME_OCTETS
    return fits and _NAME.fullmatch(value) is not None


def _is_lang(value: Any) -> bool:
    return isinstance(value, str) and _LANG.fullmatch(value) is not None


def _is_host(value: Any) -> bool:
    return _is_ip(value) or (isinstance(value, str) and _HOST.fullmatch(value) is not None)


def _is_ip(value: Any) -> bool:
    try:
        return isinstance(value, str) and bool(ipaddress.ip_address(value))
    except ValueError:
        return False


def _is_port(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= 65_535


def _is_minutes(value: Any) -> bool:
    is_number = isinstance(value, int) and not isinstance(value, bool)
    return is_number and (value == 0 or MIN_TEST_MINUTES <= value <= MAX_TEST_MINUTES)


def _is_firmness(value: Any) -> bool:
    return isinstance(value, str) and value in RECORDER_CONDITIONS


def _is_service(value: Any) -> bool:
    if not isinstance(value, str):
        return False
    host, colon, port = value.removeprefix("*.").partition(":")
    return _is_name(host) and (not colon or (port.isdecimal() and 0 < int(port) <= 65_535))


def _is_address(value: Any) -> bool:
    try:
        return isinstance(value, str) and bool(parse_address(value))
    except MalformedError:
        return False


def _is_address_or_none(value: Any) -> bool:
    return value == "" or _is_address(value)


def _is_list_of(value: Any, fits: Callable[[Any], bool]) -> bool:
    is_list = isinstance(value, list) and len(value) <= MAX_ADDRESSES
    return is_list and all(fits(one) for one in value)


def _format(settings: NodeSettings) -> str:
    person, web, link, media = settings.principal, settings.web, settings.link, settings.media
    tables: dict[str, dict[str, Any]] = {
        "principal": {"lang": person.lang, "name": person.name, "office": person.office},
        "web": {
            "host": web.host,
            "port": web.port,
            "names": web.names,
            "https_port": web.https_port,
        },
        "link": {
            "host": link.host,
            "port": link.port,
            "pairing_port": link.pairing_port,
            "addresses": link.addresses,
        },
        "media": {"host": media.host, "port": media.port, "hosts": media.hosts},
        "line": {
            "test_every_minutes": settings.line.test_every_minutes,
            "recorder_stopped": settings.line.recorder_stopped,
        },
        "push": {"services": settings.push.services},
        "public": {"listen": settings.public.listen},
    }
    lines = _pairs({"name": settings.name, "organisation": settings.organisation})
    for name, values in tables.items():
        lines += ["", f"[{name}]", *_pairs(values)]
    return "\n".join(lines) + "\n"


def _pairs(values: Mapping[str, Any]) -> list[str]:
    # A JSON string, number or list of strings is the same in TOML, but for one character: DEL,
    # which TOML wants escaped; no value that fits holds it.
    return [f"{key} = {json.dumps(value, ensure_ascii=False)}" for key, value in values.items()]
