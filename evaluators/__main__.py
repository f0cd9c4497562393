"""``python -m evaluators`` is ``embryo-eval``."""

import sys

from evaluators.cli import main

if __name__ == "__main__":  # worker processes import this module anew
    sys.exit(main())
