"""Adds up what test runners said in the logs of a folder, and prints it as one line: `N passed, N failed`.

Reads the summary lines of cargo test, pytest and Node's test runner. Called at the end of scripts/test.sh.
"""

import re
import sys
from collections import Counter
from pathlib import Path

CARGO = re.compile(r"^test result: \w+\. (\d+) passed; (\d+) failed; (\d+) ignored", re.MULTILINE)
PYTEST = re.compile(r"^=+ (.*) in [\d.]+s\b", re.MULTILINE)
PYTEST_PART = re.compile(r"(\d+) (passed|failed|errors?|skipped)")
NODE = re.compile(r"^(?:ℹ|#) (pass|fail|skipped) (\d+)$", re.MULTILINE)

KINDS = {"error": "failed", "errors": "failed", "pass": "passed", "fail": "failed", "ignored": "skipped"}


def count(log: str) -> Counter[str]:
    counts: Counter[str] = Counter()
    for passed, failed, ignored in CARGO.findall(log):
        counts.update(passed=int(passed), failed=int(failed), skipped=int(ignored))
    for line in PYTEST.findall(log):
        for number, kind in PYTEST_PART.findall(line):
            counts[KINDS.get(kind, kind)] += int(number)
    for kind, number in NODE.findall(log):
        counts[KINDS.get(kind, kind)] += int(number)
    return counts


def main(folder: Path) -> None:
    counts = sum((count(log.read_text(errors="replace")) for log in sorted(folder.glob("*.log"))), Counter())
    skipped = f", {counts['skipped']} skipped" if counts["skipped"] else ""
    print(f"{counts['passed']} passed, {counts['failed']} failed{skipped}")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
