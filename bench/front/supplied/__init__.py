"""A checkpoint and a data set of the user's own: accuracy by the official rules, throughput, a point on the front."""
