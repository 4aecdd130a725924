"""Run by another interpreter, in an environment that has proofbundle and not telcon.

Reads one JSON object from standard input (receipt, entry, log and cosigners as vkeys) and writes
what proofbundle makes of it.
"""

import base64
import json
import sys

from proofbundle.tlogproof import verify_tlog_proof

given = json.load(sys.stdin)
verdict = verify_tlog_proof(
    given["receipt"],
    base64.b64decode(given["entry"]),
    given["log"],
    given["cosigners"],
    threshold=len(given["cosigners"]),
    expected_origin=given["origin"],
)
json.dump({"ok": verdict["ok"], "index": verdict["index"]}, sys.stdout)
