#!/usr/bin/env python3
"""The page in a headless Chromium.

Usage: test.py IMMUTA_UI TEST_LOGS [--screenshots FOLDER]

The last line is "N checks passed, M failed". Ends with 77 where there is no Chromium.
"""

import sys

import checks
import chromium
import screenshots
from place import Place


def main():
    if len(sys.argv) not in (3, 5):
        sys.exit(__doc__)
    if not chromium.path():
        print("SKIPPED: without Chromium, the page is not tested in a browser")
        return 77
    place = Place(sys.argv[1], sys.argv[2])
    try:
        if len(sys.argv) == 5:
            screenshots.make(place, sys.argv[4])
            return 0
        return 1 if checks.run(place) else 0
    finally:
        place.close()


if __name__ == "__main__":
    sys.exit(main())
