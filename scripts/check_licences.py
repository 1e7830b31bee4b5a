"""Refuses a dependency whose licence is not on the list below. Called by scripts/test.sh.

Reads `cargo metadata`, so that it sees exactly what Cargo.lock holds: dependencies of every kind, for every platform.
A licence expression passes if its `OR` leaves a choice whose every `AND` is on the list.
"""

import json
import re
import subprocess
import sys

ALLOWED = {
    "0BSD",
    "Apache-2.0",
    "Apache-2.0 WITH LLVM-exception",
    "BSD-3-Clause",
    "BSL-1.0",
    "CC0-1.0",
    "ISC",
    "MIT",
    "MIT-0",
    "Unicode-3.0",
    "Unlicense",
    "Zlib",
}

TOKEN = re.compile(r"\(|\)|[^\s()]+")


def is_allowed(expression: str) -> bool:
    """Evaluates an SPDX expression. `/` is how old crates write `OR`."""
    tokens = TOKEN.findall(expression.replace("/", " OR "))
    allowed, rest = either(tokens)
    if rest:
        raise ValueError(f"cannot read the licence {expression!r}")
    return allowed


def either(tokens: list[str]) -> tuple[bool, list[str]]:
    allowed, rest = every(tokens)
    while rest[:1] == ["OR"]:
        other, rest = every(rest[1:])
        allowed = allowed or other
    return allowed, rest


def every(tokens: list[str]) -> tuple[bool, list[str]]:
    allowed, rest = single(tokens)
    while rest[:1] == ["AND"]:
        other, rest = single(rest[1:])
        allowed = allowed and other
    return allowed, rest


def single(tokens: list[str]) -> tuple[bool, list[str]]:
    if not tokens:
        raise ValueError("a licence expression ends too early")
    if tokens[0] == "(":
        allowed, rest = either(tokens[1:])
        if rest[:1] != [")"]:
            raise ValueError("a parenthesis is not closed")
        return allowed, rest[1:]
    if tokens[1:2] == ["WITH"]:
        return " ".join(tokens[:3]) in ALLOWED, tokens[3:]
    return tokens[0] in ALLOWED, tokens[1:]


def main() -> int:
    command = ["cargo", "metadata", "--format-version", "1", "--locked"]
    packages = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)["packages"]
    refused = []
    for package in packages:
        licence = package["license"]
        # Without an expression the crate brings a file, which a person has to read.
        if not licence or not is_allowed(licence):
            refused.append(f"{package['name']} {package['version']}: {licence or package['license_file'] or 'none'}")
    for line in refused:
        print(f"licence not allowed: {line}", file=sys.stderr)
    print(f"{len(packages)} packages, {len(refused)} with a licence that is not allowed")
    return 1 if refused else 0


if __name__ == "__main__":
    sys.exit(main())
