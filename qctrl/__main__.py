"""``python -m qctrl``: the command, where the script is not installed."""

import sys

from qctrl.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
