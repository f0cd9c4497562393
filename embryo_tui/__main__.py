"""``python -m embryo_tui``."""

import sys

from embryo_tui.cli import main

sys.exit(main())
