"""`python -m recocore.cli`."""

import sys

from recocore.cli.app import main

sys.exit(main())
