"""Media of one node: devices' legs, sources, slots, the trunk to the other node, the recorder.

Audio is passed on as it was encoded; nothing here decodes, encodes or mixes. The rest of the node
needs `plane.MediaPlane`, the `leg.Leg` it opens, `Source` and `Slot`, and the trunk; the packet
formats and the cryptography beneath stay in this folder.

| module | what it is for |
|---|---|
| `mux` | one UDP port; to whom a datagram belongs |
| `ice`, `dtls`, `srtp` | proving who is at an address, agreeing keys, encrypting |
| `rtp`, `rtcp`, `sdp` | the formats |
| `source`, `slot` | one published stream; one place where a listener hears one |
| `transport`, `leg`, `client` | one device's connection: what both ends share, our end, its end |
| `streams` | what one leg carries |
| `events` | what a leg tells whoever opened it |
| `plane` | puts the above together |
| `trunk`, `tracks` | the leg between two nodes; the numbers its packets bear |
| `recorder`, `recording` | all files and chunks of a call; one speaker's file, also after a crash |
| `timeline`, `chunks`, `disk` | a packet's place; what is hashed; what waits for the disk |
| `opus`, `ogg`, `oggopus` | the formats of a recording |
"""
