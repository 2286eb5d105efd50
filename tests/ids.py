"""Names of test cases that are the same in every process."""

import re


def steady(value):
    """Write a parameter without the addresses of objects, by which processes would differ."""
    return re.sub(r" at 0x[0-9a-fA-F]+", "", str(value))
