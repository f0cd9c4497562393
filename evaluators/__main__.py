"""``python -m evaluators`` is ``embryo-eval``."""

import sys

from evaluators.cli import main

sys.exit(main())
