"""A machine's whole evidence: the campaign that measures it, the bundle that carries it to another machine."""
