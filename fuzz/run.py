"""One target under atheris, for `fuzz.__main__`: `python -m fuzz.run NAME [LIBFUZZER'S…]`.

Apart from it, because telcon has to be met for the first time where its bytecode is instrumented.
"""

import sys

import atheris

with atheris.instrument_imports(include=["telcon", "fuzz", "aioice"]):
    from fuzz.targets import TARGETS


def main() -> None:
    """Fuzz until time is up or something is found; libFuzzer ends the process."""
    target = TARGETS[sys.argv[1]]

    def one(data: bytes) -> None:
        target(data)

    atheris.Setup([sys.argv[0], *sys.argv[2:]], one)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
