"""``python -m embryo_demo``: the same as the command ``embryo-demo``."""

import sys

from embryo_demo.cli import main

if __name__ == "__main__":
    sys.exit(main())
