"""The record of a call on this node: what is written while people talk, and what both sides hold.

| module | what it is for |
|---|---|
| `disk` | the one thread through which a record reaches the disk |
| `chunks`, `claims` | what a speaker's node says of its packets; what another node holds of them |
| `held` | what is held of a chunk, as its entry has room for |
| `sealing` | who can open a record |
| `keepers` | a record-keeper's keys as files |
| `packet` | one packet of a track |
| `journal` | the sealed file of one call: every packet of every track, as it came |
| `place` | where a record lies, and this node's key to it |
| `shelf` | the journal behind that thread: put, read, measured |
| `recorder` | all of that while a call lives |
| `rendering` | the Ogg Opus file of one track, the same octets on both sides |
"""
