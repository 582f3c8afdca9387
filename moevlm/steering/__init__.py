"""What measurements do to routing: bias tables of a profile, recordings replayed, rates expected."""
