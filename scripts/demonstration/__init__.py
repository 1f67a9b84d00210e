"""The parts of ``demo.py`` that run inside the environment."""
