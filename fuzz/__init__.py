"""Coverage-guided fuzzers for every reader of foreign bytes: `make fuzz`.

    python -m fuzz                              # every target, a minute each
    python -m fuzz entry note --seconds 3600    # some, for longer
    python -m fuzz entry --replay FILE          # one input again, as a finding names it

The contract is the same for all: an input is accepted, and what must hold of it holds, or it is
refused with one of the documented errors. Anything else is a finding: another exception, a second
spelling, a broken limit, ten seconds or a gigabyte for one input. A finding is mended in the
reader, and leaves a test in the reader's own test file.

    targets     what is fuzzed and what must hold; no fuzzer in it, so tests/fuzz runs it too
    known       the keys and logs that targets and seeds share
    mended      checksums made right again, so that what lies behind them is reached as well
    seeds       `python -m fuzz.seeds` writes corpus/: the good inputs that a fuzzer begins with
    run         one target under atheris, in a process of its own

What reached something new stays in build/fuzz/corpus, and the next run goes on from there; without
that folder a seed begins with the same inputs again. Atheris has wheels for Python 3.11 to 3.13.
"""
