"""`python -m telcon.cli`, the same as the `telcon` command."""

import sys

from telcon.cli import main

sys.exit(main())
