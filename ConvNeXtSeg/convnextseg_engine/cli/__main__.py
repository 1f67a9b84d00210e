"""``python -m convnextseg_engine.cli``: the command where its script is not on the path, as inside Slicer."""

import sys

from .main import main

sys.exit(main())
