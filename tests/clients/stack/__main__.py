"""Runs a command against a fresh stack: ``python3 -m stack -- COMMAND …``.

The command finds the addresses and keys in `TIDEGATE_*` variables, and its exit status is this one's.
"""

import os
import subprocess
import sys

from . import ADMIN_KEY, CLIENT_KEY, DIALECT_PROVIDERS, OTHER_KEY, PROVIDER_KEY, start


def main(arguments: list[str]) -> int:
    if arguments[:1] != ["--"] or len(arguments) < 2:
        print(__doc__, file=sys.stderr)
        return 2
    with start() as stack:
        variables = {
            "TIDEGATE_PROXY": stack.gateway.origin,
            "TIDEGATE_ADMIN": stack.gateway.admin_origin,
            "TIDEGATE_SIMULATOR": stack.simulator.origin,
            "TIDEGATE_ADMIN_KEY": ADMIN_KEY,
            "TIDEGATE_CLIENT_KEY": CLIENT_KEY,
            "TIDEGATE_OTHER_KEY": OTHER_KEY,
            "TIDEGATE_PROVIDER_KEY": PROVIDER_KEY,
            "TIDEGATE_DIALECT_PROVIDERS": ",".join(DIALECT_PROVIDERS),
        }
        return subprocess.run(arguments[1:], env=os.environ | variables, stdin=subprocess.DEVNULL).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
