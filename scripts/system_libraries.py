"""The system libraries that real Qt needs on Linux, which pip cannot bring: find them, or say what to install.

Run directly, it prints the Debian packages that are missing.
"""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
import sys

# What the Qt of the PySide6 wheel is linked against beyond the C and C++ run time, by the Debian package that has it.
# From `ldd` on QtGui, QtWidgets and the offscreen platform plugin of PySide6_Essentials 6.11.0.
LIBRARIES = {
    "libEGL.so.1": "libegl1",
    "libGL.so.1": "libgl1",
    "libxkbcommon.so.0": "libxkbcommon0",
    "libdbus-1.so.3": "libdbus-1-3",
    "libfontconfig.so.1": "libfontconfig1",
    "libglib-2.0.so.0": "libglib2.0-0",
}


def missing_packages():
    """Return the Debian packages whose libraries cannot be loaded; empty on Windows and macOS."""
    if not sys.platform.startswith("linux"):
        return []
    return [package for library, package in LIBRARIES.items() if not _loads(library)]


def _loads(library):
    try:
        ctypes.CDLL(library)
    except OSError:
        return False
    return True


def provide(install=True):
    """Make sure that the libraries are there; return a plain message if they are not, otherwise an empty text.

    Args:
        install: Where this process may (root, with apt-get), install what is missing and say so.
    """
    missing = missing_packages()
    if not missing:
        return ""
    if install and hasattr(os, "geteuid") and os.geteuid() == 0 and shutil.which("apt-get"):
        print(f"Set-up: installing the system libraries that Qt needs: {' '.join(missing)} …", flush=True)
        environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        for command in (["update", "-qq"], ["install", "-qq", "-y", "--no-install-recommends", *missing]):
            subprocess.run(["apt-get", *command], env=environment, stdout=subprocess.DEVNULL, check=False)
        missing = missing_packages()
    if not missing:
        return ""
    return (
        "The tests of the panel run on real Qt, which needs system libraries that are missing here. On Debian and "
        f"Ubuntu install them with: sudo apt-get install {' '.join(missing)}. Then start the tests again."
    )


if __name__ == "__main__":
    print(" ".join(missing_packages()))
