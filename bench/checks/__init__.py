"""What is to be timed, compared with the oracle before the clock starts."""
