"""Everything that the results need, in one resumable command: steps by value, within a budget, records after each."""
