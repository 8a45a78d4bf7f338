"""`python -m tsnlab` is the command `tsnlab`."""

import sys

from tsnlab.cli import main

sys.exit(main())
