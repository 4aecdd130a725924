"""Proof folders: what a call leaves for a stranger to check, offline, years later.

`export_call` writes one from a node's two logs of a line, `export_fork` one of evidence that a log
has two histories; `verify_paths` checks folders and single receipts and says in words what is shown
and what is not. `layout` has the files.
"""

from telcon.node.proof.attest import attest_none
from telcon.node.proof.coverage import export_coverage
from telcon.node.proof.evidence import export_fork
from telcon.node.proof.excerpt import export_message
from telcon.node.proof.export import ExportedLog, ExportReport, export_call
from telcon.node.proof.further import FurtherWitnesses
from telcon.node.proof.layout import LAYER_NAMES
from telcon.node.proof.report import PathReport, Verdict, VerifyReport, format_json, format_words
from telcon.node.proof.span_export import SpanReport, export_span
from telcon.node.proof.verify import verify_paths

__all__ = [
    "LAYER_NAMES",
    "ExportReport",
    "ExportedLog",
    "FurtherWitnesses",
    "PathReport",
    "SpanReport",
    "Verdict",
    "VerifyReport",
    "attest_none",
    "export_call",
    "export_coverage",
    "export_fork",
    "export_message",
    "export_span",
    "format_json",
    "format_words",
    "verify_paths",
]
