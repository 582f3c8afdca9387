"""A record's figures as other tools read them, each with its name and unit."""
