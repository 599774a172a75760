"""What the lived-through stories share: saying what does not hold, and waiting for a state instead of for luck."""

import sys
import time

PATIENCE_SECONDS = 30


def check(holds, what):
    if not holds:
        sys.exit(f"failed: {what}")


def refusal(error, call):
    """The error that a call must raise, with its body."""
    try:
        call()
    except error as raised:
        return raised
    sys.exit(f"failed: {error.__name__} was expected")


def eventually(attempt, what):
    """Tries until there is something, which it gives; fails with `what` when there is nothing in time."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not (found := attempt()):
        check(time.monotonic() < deadline, what)
        time.sleep(0.05)
    return found
