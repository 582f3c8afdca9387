"""The page about trained twins: what specialization training shows, from what `bench.front.trained score` wrote."""
