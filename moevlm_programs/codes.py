"""Exit codes that every program shares; those of verdicts are beside the verdicts."""

USAGE_ERROR = 4  # pytest.ExitCode.USAGE_ERROR; argparse's own is 2, which pytest uses for an interrupted run
CANNOT_WRITE = 16  # the verdict FAILED's: what was to be had is not there
UNEXPECTED = 70  # EX_SOFTWARE of sysexits.h: the program's fault, not its user's
INTERRUPTED = 130  # as shells say it of Ctrl-C: 128 + SIGINT
READER_GONE = 141  # as shells say it of a program whose reader has ended, like `head -1`: 128 + SIGPIPE
