"""The rules of telcon: entries, seals, the fold, the two-party machine, the gate, the duties.

Pure: time, randomness and keys are arguments; bytes come in and bytes go out. Read in this order:
`entry` (what stands in a log), `seal` and `draft` (how an entry is made), `transitions` (what may
happen when), `call` and `fold` (what a pair of logs means), `gate` (who may be heard), `duties`
(what a node owes after a time), `machine` (how two sides keep each other's logs).
"""
