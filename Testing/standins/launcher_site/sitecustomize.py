"""Loaded by every Python below the launcher stand-in: makes ``sys.executable`` name the launcher."""

import os
import sys

sys.executable = os.environ["CONVNEXTSEG_STANDIN_LAUNCHER"]
