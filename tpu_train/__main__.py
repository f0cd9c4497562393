"""``python -m tpu_train`` is ``embryo-train``."""

import sys

from tpu_train.cli import main

if __name__ == "__main__":
    sys.exit(main())
