"""Session descriptions (RFC 8866, RFC 9429) for the one shape of session that a leg has.

A device offers one bundled transport with one audio section that it sends and four that it
receives; the node answers by template. Only what that shape needs is read, and an offer of another
shape is refused in words. The client's half of the same, for scripted devices, is here too.

What the answer leaves out is left out on purpose: no header extensions (audio levels would tell a
watcher who speaks), no feedback on congestion, no retransmission in a stream of its own.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from telcon.errors import MalformedError
from telcon.node.media.ice import Credentials
from telcon.node.media.redundancy import DEPTH

__all__ = [
    "SLOT_COUNT",
    "Answer",
    "AnswerSection",
    "Offer",
    "OfferSection",
    "RedFormat",
    "format_answer",
    "format_offer",
    "parse_answer_untrusted",
    "parse_offer_untrusted",
]

SLOT_COUNT = 4
"""Receive sections of each device: how many streams a person hears at once."""

OPUS_PARAMETERS = "minptime=10;useinbandfec=1;cbr=1;usedtx=0"
"""Constant bit rate and no pauses: sizes and gaps otherwise tell what is said (RFC 7587 §6.1)."""

_ANY_HOST = "0.0.0.0"  # noqa: S104 - written into offers, never listened on
_MAX_OCTETS = 65_536
_MAX_LINES = 2_000
_MAX_SECTIONS = 16
_MAX_RED_BLOCKS = 32
_ICE_CHARS = re.compile(r"[A-Za-z0-9+/]+")
_TOKEN = re.compile(r"[!#$%&'*+\-.0-9A-Z^_`a-z{|}~]{1,64}")  # RFC 8866 §9
_DIGITS = re.compile(r"[0-9]{1,10}")
_DIRECTIONS = ("sendonly", "recvonly", "sendrecv", "inactive")


class RedFormat(NamedTuple):
    """How a section speaks RED (RFC 2198) around its Opus."""

    payload_type: int
    depth: int
    """Older packets that ride along with one, 1 to DEPTH."""


@dataclass(frozen=True, slots=True)
class OfferSection:
    """One audio section of an offer."""

    mid: str
    """The section's name within the bundle."""
    sends: bool
    """True for the device's microphone, False for a place where it hears."""
    payload_type: int
    """What this device numbers Opus as."""
    ssrc: int | None
    """Of the stream that a sending section announces, if it says."""
    red: RedFormat | None = None
    """None where the device does not speak it."""


@dataclass(frozen=True, slots=True)
class Offer:
    """What a device offers."""

    credentials: Credentials
    fingerprint: bytes
    """SHA-256 of the certificate that the device will show."""
    sections: tuple[OfferSection, ...]
    """In the offer's order, which the answer has to keep."""


@dataclass(frozen=True, slots=True)
class AnswerSection:
    """One audio section of the node's answer."""

    mid: str
    payload_type: int
    ssrc: int | None
    """Of what the node sends in this section; None where it receives."""
    red: RedFormat | None = None
    """As the device offered it."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What the node answers."""

    credentials: Credentials
    fingerprint: bytes
    """SHA-256 of the node's certificate."""
    hosts: tuple[str, ...]
    """Addresses under which devices reach this node, the preferred one first."""
    port: int
    sections: tuple[AnswerSection, ...]


def parse_offer_untrusted(text: str) -> Offer:
    """Read a device's offer.

    Raises:
        MalformedError: not a description, or not of the shape that a leg has; says which part.
    """
    session, sections = _split(text)
    bundle = _bundle(session)
    parsed = tuple(_parse_section(section, bundle) for section in sections)
    if len({section.mid for section in parsed}) != len(parsed):
        raise MalformedError("two sections of the offer bear the same mid")
    sending = sum(section.sends for section in parsed)
    if sending != 1 or len(parsed) != 1 + SLOT_COUNT:
        raise MalformedError(
            f"the offer has {sending} sending and {len(parsed) - sending} receiving sections; "
            f"1 and {SLOT_COUNT} were expected"
        )
    # RFC 9143 §7.1.3: the first section of the bundle speaks for the transport of all.
    transport = (*session, *sections[0])
    if _one(transport, "setup") not in ("actpass", "active"):
        raise MalformedError("the offer must let the device be the DTLS client")
    if any("rtcp-mux" not in section for section in sections if not _is_bundle_only(section)):
        raise MalformedError("the offer must carry RTP and RTCP on one port")
    return Offer(_credentials(transport), _fingerprint(transport), parsed)


def format_answer(answer: Answer, *, session_id: int, version: int, cname: str) -> str:
    """Write the node's answer; `version` rises with each answer of one session."""
    lines = [
        "v=0",
        f"o=- {session_id} {version} IN IP4 0.0.0.0",
        "s=-",
        "t=0 0",
        "a=group:BUNDLE " + " ".join(section.mid for section in answer.sections),
        "a=msid-semantic: WMS *",
        "a=ice-lite",
    ]
    for number, section in enumerate(answer.sections):
        lines += _section_head(section, answer.hosts[0], answer.port)
        lines += _transport_lines(answer.credentials, answer.fingerprint, "passive")
        lines.append("a=recvonly" if section.ssrc is None else "a=sendonly")
        if section.ssrc is not None:
            lines += [
                f"a=msid:slot-{section.mid} slot-{section.mid}",
                f"a=ssrc:{section.ssrc} cname:{cname}",
            ]
        if number == 0:
            lines += _candidate_lines(answer.hosts, answer.port)
    return _join(lines)


def format_offer(offer: Offer, *, session_id: int, version: int) -> str:
    """Write the offer of a scripted device, as a browser would."""
    lines = [
        "v=0",
        f"o=- {session_id} {version} IN IP4 127.0.0.1",
        "s=-",
        "t=0 0",
        "a=group:BUNDLE " + " ".join(section.mid for section in offer.sections),
    ]
    for section in offer.sections:
        lines += _section_head(section, _ANY_HOST, 9)
        lines += _transport_lines(offer.credentials, offer.fingerprint, "actpass")
        lines.append("a=sendonly" if section.sends else "a=recvonly")
        if section.ssrc is not None:
            lines.append(f"a=ssrc:{section.ssrc} cname:device")
    return _join(lines)


def parse_answer_untrusted(text: str) -> Answer:
    """Read the node's answer, as a scripted device needs it.

    Raises:
        MalformedError: not an answer of this node's shape.
    """
    session, sections = _split(text)
    if "ice-lite" not in session:
        raise MalformedError("the answer does not say that the node is ICE-lite")
    transport = (*session, *sections[0])
    if _one(transport, "setup") != "passive":
        raise MalformedError("the answer must leave the DTLS client's part to the device")
    candidates = [line.split(" ") for line in _all(sections[0], "candidate")]
    if not candidates or any(len(c) < 8 or c[2] != "udp" for c in candidates):
        raise MalformedError("the answer names no UDP candidate")
    return Answer(
        credentials=_credentials(transport),
        fingerprint=_fingerprint(transport),
        hosts=tuple(_host(candidate[4]) for candidate in candidates),
        port=_number(candidates[0][5], 65_535),
        sections=tuple(_parse_answer_section(section) for section in sections),
    )


def _split(text: str) -> tuple[list[str], list[list[str]]]:
    """Return the attributes of the session and of each section; the m-line goes first in those."""
    if len(text) > _MAX_OCTETS:
        raise MalformedError(f"a session description of {len(text)} characters")
    lines = text.replace("\r\n", "\n").rstrip("\n").split("\n")
    if len(lines) > _MAX_LINES or lines[0] != "v=0":
        raise MalformedError("a session description begins with v=0 and has no 2000 lines")
    session: list[str] = []
    sections: list[list[str]] = []
    for line in lines:
        if len(line) < 2 or line[1] != "=" or not line.isprintable():
            raise MalformedError("a line of the session description is not of the form x=value")
        if line[0] == "m":
            sections.append([line[2:]])
        elif line[0] == "a":
            (sections[-1] if sections else session).append(line[2:])
    if not 1 <= len(sections) <= _MAX_SECTIONS:
        raise MalformedError(f"a session description with {len(sections)} sections")
    return session, sections


def _bundle(session: Sequence[str]) -> list[str]:
    groups = [group.split(" ")[1:] for group in _all(session, "group") if group[:7] == "BUNDLE "]
    if len(groups) != 1:
        raise MalformedError("the offer must bundle all sections onto one transport")
    return groups[0]


def _parse_section(section: Sequence[str], bundle: Sequence[str]) -> OfferSection:
    media = section[0].split(" ")
    if len(media) < 4 or media[0] != "audio" or media[2] != "UDP/TLS/RTP/SAVPF":
        raise MalformedError("every section of the offer must be audio over DTLS-SRTP")
    if media[1] == "0" and not _is_bundle_only(section):
        raise MalformedError("a section of the offer is rejected: its port is 0")
    mid = _mid(section)
    if mid not in bundle:
        raise MalformedError("a section of the offer stands outside the bundle")
    direction = [line for line in section[1:] if line in _DIRECTIONS]
    if direction not in (["sendonly"], ["recvonly"]):
        raise MalformedError("every section of the offer must either send or receive")
    sends = direction == ["sendonly"]
    opus_type = _opus_type(section, media[3:])
    red = _red(section, media[3:], opus_type)
    return OfferSection(mid, sends, opus_type, _ssrc(section), red)


def _parse_answer_section(section: Sequence[str]) -> AnswerSection:
    answered = section[0].split(" ")[3:]
    payload_type = _opus_type(section, answered)
    ssrc = _ssrc(section)
    if ("sendonly" in section) != (ssrc is not None):
        raise MalformedError("a section of the answer sends without saying as what")
    return AnswerSection(_mid(section), payload_type, ssrc, _red(section, answered, payload_type))


def _mid(section: Sequence[str]) -> str:
    mid = _one(section, "mid")
    if not _TOKEN.fullmatch(mid):
        raise MalformedError("the mid of a section is not a token")
    return mid


def _opus_type(section: Sequence[str], offered: Sequence[str]) -> int:
    for line in _all(section, "rtpmap"):
        number, _, codec = line.partition(" ")
        if codec.lower() == "opus/48000/2" and number in offered:
            return _number(number, 127)
    raise MalformedError("a section of the offer does not speak Opus")


def _red(section: Sequence[str], offered: Sequence[str], opus_type: int) -> RedFormat | None:
    """Return how the section speaks RED around just this Opus; None if it does not."""
    # RFC 2198 §5: a=rtpmap:63 red/48000/2, and for one older packet a=fmtp:63 111/111.
    for line in _all(section, "rtpmap"):
        number, _, codec = line.partition(" ")
        if codec.lower() != "red/48000/2" or number not in offered:
            continue
        payload_type = _number(number, 127)
        blocks = next(
            (rest for one, _, rest in _fmtp(section) if one == number), ""
        ).split("/")  # fmt: skip
        is_opus = all(block == str(opus_type) for block in blocks)
        if payload_type != opus_type and is_opus and 2 <= len(blocks) <= _MAX_RED_BLOCKS:
            return RedFormat(payload_type, min(len(blocks) - 1, DEPTH))
    return None


def _fmtp(section: Sequence[str]) -> list[tuple[str, str, str]]:
    return [line.partition(" ") for line in _all(section, "fmtp")]


def _ssrc(section: Sequence[str]) -> int | None:
    lines = _all(section, "ssrc")
    return _number(lines[0].split(" ")[0], 0xFFFF_FFFF) if lines else None


def _is_bundle_only(section: Sequence[str]) -> bool:
    return "bundle-only" in section


def _credentials(transport: Sequence[str]) -> Credentials:
    ufrag, password = _one(transport, "ice-ufrag"), _one(transport, "ice-pwd")
    fits = 4 <= len(ufrag) <= 256 and 22 <= len(password) <= 256
    if not (fits and _ICE_CHARS.fullmatch(ufrag) and _ICE_CHARS.fullmatch(password)):
        raise MalformedError("the ICE user name or password is not of the standard's form")
    return Credentials(ufrag, password)


def _fingerprint(transport: Sequence[str]) -> bytes:
    # RFC 8122 §5: hash, then octets in upper-case hex with colons. Both cases are written.
    for line in _all(transport, "fingerprint"):
        kind, _, value = line.partition(" ")
        if kind.lower() == "sha-256" and re.fullmatch(
            r"([0-9A-Fa-f]{2}:){31}[0-9A-Fa-f]{2}", value
        ):
            return bytes.fromhex(value.replace(":", ""))
    raise MalformedError("the description bears no SHA-256 fingerprint")


def _host(text: str) -> str:
    try:
        return str(ipaddress.ip_address(text))
    except ValueError as error:
        raise MalformedError("a candidate's address is not an IP address") from error


def _number(text: str, limit: int) -> int:
    if not _DIGITS.fullmatch(text) or int(text) > limit:
        raise MalformedError(f"a number in the session description is not one up to {limit}")
    return int(text)


def _one(lines: Sequence[str], name: str) -> str:
    values = _all(lines, name)
    if not values:
        raise MalformedError(f"the session description lacks a={name}")
    return values[0]


def _all(lines: Sequence[str], name: str) -> list[str]:
    return [line[len(name) + 1 :] for line in lines if line.startswith(name + ":")]


def _section_head(section: OfferSection | AnswerSection, host: str, port: int) -> list[str]:
    version = ipaddress.ip_address(host).version
    payload_type, red = section.payload_type, section.red
    # The first format of an answer is the one that a browser sends.
    formats = f"{payload_type}" if red is None else f"{red.payload_type} {payload_type}"
    lines = [
        f"m=audio {port} UDP/TLS/RTP/SAVPF {formats}",
        f"c=IN IP{version} {host}",
        f"a=mid:{section.mid}",
        "a=rtcp-mux",
        f"a=rtpmap:{payload_type} opus/48000/2",
        f"a=fmtp:{payload_type} {OPUS_PARAMETERS}",
        # Browsers do not offer it for audio; those that can, take it up from the answer.
        f"a=rtcp-fb:{payload_type} nack",
    ]
    if red is not None:
        blocks = "/".join([str(payload_type)] * (1 + red.depth))
        lines += [f"a=rtpmap:{red.payload_type} red/48000/2", f"a=fmtp:{red.payload_type} {blocks}"]
    return lines


def _transport_lines(credentials: Credentials, fingerprint: bytes, setup: str) -> list[str]:
    return [
        f"a=ice-ufrag:{credentials.ufrag}",
        f"a=ice-pwd:{credentials.password}",
        f"a=fingerprint:sha-256 {fingerprint.hex(':').upper()}",
        f"a=setup:{setup}",
    ]


def _candidate_lines(hosts: Sequence[str], port: int) -> list[str]:
    # RFC 8839 §5.1; the earlier in the list, the higher the priority.
    return [
        f"a=candidate:{number + 1} 1 udp {(126 << 24) + ((65_535 - number) << 8) + 255} "
        f"{host} {port} typ host"
        for number, host in enumerate(hosts)
    ] + ["a=end-of-candidates"]


def _join(lines: Sequence[str]) -> str:
    return "\r\n".join(lines) + "\r\n"
