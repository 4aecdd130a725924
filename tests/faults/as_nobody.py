"""Runs `telcon` as a user who owns nothing: root may write anywhere.

All is imported before, for such a user may not even be let into the folder where the code lies.
"""

import os
import sys

import telcon.cli.running
from telcon.cli import main

NOBODY = 65_534

if __name__ == "__main__":
    assert telcon.cli.running
    if os.geteuid() == 0:
        os.setresuid(NOBODY, NOBODY, NOBODY)
    sys.exit(main(sys.argv[1:]))
