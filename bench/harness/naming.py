"""What the suite is called where it runs: `bench` in a clone, `moevlm_bench` where its distribution is installed."""

SUITE = __name__.partition(".")[0]  # the package that holds harness, gate, plugin and commands
COMMANDS = f"python -m {SUITE}"  # what the user types before a command's name
