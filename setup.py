"""Installation for tools that look for this file; the settings are in pyproject.toml."""

from setuptools import setup

setup()
