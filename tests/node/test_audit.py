"""The audit file: one event a line, on the disk, and no secret in it."""

import json
import os
import stat
import threading
from pathlib import Path
from typing import Any

import pytest

from telcon.errors import MisuseError, StorageError
from telcon.node import audit
from telcon.node.audit import AuditEvent, AuditFile

NOW_US = 1_767_225_600_000_000


def open_file(folder: Path) -> AuditFile:
    return AuditFile(folder / "audit.jsonl", lambda: NOW_US)


def events(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "audit.jsonl").read_text().splitlines()]


def test_an_event_is_one_line(tmp_path: Path) -> None:
    with open_file(tmp_path) as file:
        file.event(AuditEvent.UNKNOWN_PEER_KEY, fingerprint="00ff", address="192.0.2.1")
        file.event("audit.web.wrong-host", host="evil.example")
    assert (tmp_path / "audit.jsonl").read_text() == (
        '{"time_us":1767225600000000,"event":"audit.peer.unknown-key",'
        '"fields":{"fingerprint":"00ff","address":"192.0.2.1"}}\n'
        '{"time_us":1767225600000000,"event":"audit.web.wrong-host",'
        '"fields":{"host":"evil.example"}}\n'
    )


def test_every_event_begins_with_audit_and_is_named_once() -> None:
    names = [event.value for event in AuditEvent]
    assert all(name.startswith("audit.") for name in names)
    assert len(set(names)) == len(names) == len(AuditEvent.__members__)


def test_an_unknown_event_is_refused(tmp_path: Path) -> None:
    with open_file(tmp_path) as file, pytest.raises(MisuseError, match="no audit event"):
        file.event("audit.something")


@pytest.mark.parametrize(
    "field", ["key", "peer_key", "secret", "token", "session_token", "password", "sdp", "log_seed"]
)
def test_a_field_that_sounds_like_a_secret_is_refused(tmp_path: Path, field: str) -> None:
    with open_file(tmp_path) as file, pytest.raises(MisuseError, match="sounds like a secret"):
        file.event(AuditEvent.WRONG_HOST, **{field: "x"})
    assert events(tmp_path) == []


@pytest.mark.parametrize(
    "value", ['new\nline"', "\x1b[31m", "\u202egnp.exe", "\udcff", "\x85\u2028"]
)
def test_a_hostile_value_stays_in_its_line(tmp_path: Path, value: str) -> None:
    with open_file(tmp_path) as file:
        file.event(AuditEvent.WRONG_HOST, host=value)
    data = (tmp_path / "audit.jsonl").read_bytes()
    assert all(0x20 <= octet < 0x7F for octet in data[:-1])
    assert events(tmp_path)[0]["fields"] == {"host": value}


def test_a_long_value_is_cut(tmp_path: Path) -> None:
    with open_file(tmp_path) as file:
        file.event(AuditEvent.WRONG_HOST, host="x" * 1_000, other="x" * 1_001)
    fields = events(tmp_path)[0]["fields"]
    assert fields == {"host": "x" * 1_000, "other": "x" * 1_000 + "…"}


def test_the_file_is_for_this_user_alone_and_only_grows(tmp_path: Path) -> None:
    for _ in range(3):
        with open_file(tmp_path) as file:
            file.event(AuditEvent.NODE_STARTED)
    assert len(events(tmp_path)) == 3
    assert stat.S_IMODE((tmp_path / "audit.jsonl").stat().st_mode) == 0o600


def test_an_event_is_synced_without_holding_up_the_caller(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    may_sync, synced = threading.Event(), threading.Event()

    def slow_sync(_: int) -> None:
        assert may_sync.wait(30)
        synced.set()

    monkeypatch.setattr("telcon.node.audit.os.fdatasync", slow_sync)
    with open_file(tmp_path) as file:
        for _ in range(100):
            file.event(AuditEvent.NODE_STARTED)
        assert not synced.is_set()
        may_sync.set()
    assert synced.is_set()
    assert len(events(tmp_path)) == 100


def test_a_flood_is_bounded_and_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    may_sync, syncing = threading.Event(), threading.Event()

    def slow_sync(_: int) -> None:
        syncing.set()
        assert may_sync.wait(30)

    monkeypatch.setattr(audit, "MAX_WAITING", 10)
    monkeypatch.setattr("telcon.node.audit.os.fdatasync", slow_sync)
    with open_file(tmp_path) as file:
        file.event(AuditEvent.NODE_STARTED)
        assert syncing.wait(30)
        for _ in range(25):
            file.event(AuditEvent.WRONG_HOST)
        may_sync.set()
    found = events(tmp_path)
    assert [one["event"] for one in found].count("audit.web.wrong-host") == 10
    assert {"count": 15} in [one["fields"] for one in found]


def test_a_torn_last_line_does_not_tear_the_next(tmp_path: Path) -> None:
    (tmp_path / "audit.jsonl").write_bytes(b'{"time_us":1,"ev')
    with open_file(tmp_path) as file:
        file.event(AuditEvent.NODE_STARTED)
    lines = (tmp_path / "audit.jsonl").read_text().splitlines()
    assert lines[0] == '{"time_us":1,"ev'
    assert json.loads(lines[1])["event"] == "audit.node.started"


def test_a_full_disk_leaves_no_half_line_and_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    write, left = os.write, [20]  # octets of room

    def write_while_there_is_room(descriptor: int, data: bytes) -> int:
        if not left[0]:
            raise OSError(28, "No space left on device")
        done = write(descriptor, data[: left[0]])
        left[0] -= done
        return done

    with monkeypatch.context() as patch:
        patch.setattr("telcon.node.audit.os.write", write_while_there_is_room)
        with open_file(tmp_path) as file:
            file.event(AuditEvent.NODE_STARTED)
    assert "audit.write-failed" in caplog.text
    assert (tmp_path / "audit.jsonl").read_bytes() == b""


def test_what_a_full_disk_refused_is_written_when_there_is_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write, refused = os.write, threading.Event()

    def refuse_once(descriptor: int, data: bytes) -> int:
        if not refused.is_set():
            refused.set()
            raise OSError(28, "No space left on device")
        return write(descriptor, data)

    monkeypatch.setattr(audit, "RETRY_S", 0.01)
    monkeypatch.setattr("telcon.node.audit.os.write", refuse_once)
    with open_file(tmp_path) as file:
        file.event(AuditEvent.STORAGE_REFUSED, error="full")
        assert refused.wait(30)
        file.event(AuditEvent.NODE_STOPPED)
    names = [one["event"] for one in events(tmp_path)]
    assert names == ["audit.node.storage-refused", "audit.node.stopped"]


def test_a_file_that_cannot_be_opened_is_said(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match=r"audit file .* cannot be written"):
        AuditFile(tmp_path / "no folder" / "audit.jsonl")
