"""The exit codes, which are a contract: they do not change without a major version."""

DONE, FAILED, USAGE, NO_DEVICE, INTERRUPTED = 0, 1, 2, 3, 130


def of_failures(failed: int, for_want_of_an_extra: int) -> int:
    """Return the code of a command of whose inputs so many failed, and so many of these for want of an extra.

    2 where an extra to install is all that is missing; 1 where inputs failed for reasons of their own.
    """
    if not failed:
        return DONE
    return USAGE if failed == for_want_of_an_extra else FAILED
