"""Two nodes and the network between them in one process, with everything that can go wrong.

    make simulate SECONDS=60             worlds of seeds from a random one on, for so long
    make simulate ARGS="--steps 1000000"
    make simulate ARGS="--seed 7"        that world alone, step by step as it was

The core and the ledger are the real ones. Time is virtual, so an hour of silence costs nothing, and
everything follows from the seed: a world that fails does so again in the same way.

What goes wrong in a world (`simulate.world`): frames are late, and while a peer lies they come
twice, in another order, altered, or not at all; connections end with frames on their way, and stay
away; a commit fails at each of its steps, having been stored or not; a node is killed at each of
these steps; clocks jump; a node comes back on an old backup, with its marker, without it, or with
one as old as the backup; a peer signs a second history.

What people and nodes do meanwhile is in `simulate.acts`. What must hold after each step, and once
all is mended, is in `simulate.invariants`, of the records of calls in `simulate.records`.
"""
