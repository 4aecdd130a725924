"""How fast telcon is, always beside what the machine itself can do.

`python -m bench` runs all of these in turn, each in a process of its own; `python -m bench NAME…`
runs some; `--table FILE` writes what has a limit as one table. Each is a module with a `run()` that
prints every term it measured, the spread and the worst, and may return rows for that table. No time
makes a bench fail: a figure is held against another of the same run, so that a busy machine makes
both worse. What is not a time (a packet lost, a task left behind) does fail.

    messages        a countersigned message, node to node, against L; 16 in flight; 20,000 at once
    ml_dsa          the same with ML-DSA-44 signatures on and off, in turns; one such signature
    user_to_user    a message from page to page, beside Prosody with SQLite archive
    slow_disk       every commit 20 ms late: what pings of the link and audio notice
    ringing         from ringing until the other node's `call.ringing` is held and cosigned
    answer_audio    two browsers: from the tap that answers to the first sound at the far page
    sign_in         from the tap that signs in until the lines can be used, in a cold browser
    store_commits   a commit of the store beside bare syncs of the disk
    link_rtt        a round trip over the link beside one over bare TLS
    loss            what two browsers conceal on a bad network
    media_fanout    CPU of a node for each packet that it delivers to 100 listeners
    media_cycles    what 500 legs that come and go leave behind
    media_hour      an hour of one voice as fast as it goes, over all wraps
    memory          what an idle node holds after a minute
    recorder_cost   CPU of the recorder for each packet
    catch_up        10,000 messages that the far node missed, countersigned
    whole_log       a log of a million entries checked, beside bare hashing; one receipt
    core_machine    CPU of the pure core for each message of a burst, without disk and network
    ledger_rates    hashing, proofs and signatures, and which Ed25519 is fastest
"""

NAMES = (
    "messages",
    "ml_dsa",
    "user_to_user",
    "slow_disk",
    "ringing",
    "answer_audio",
    "sign_in",
    "store_commits",
    "link_rtt",
    "loss",
    "media_fanout",
    "media_cycles",
    "media_hour",
    "memory",
    "recorder_cost",
    "catch_up",
    "whole_log",
    "core_machine",
    "ledger_rates",
)
