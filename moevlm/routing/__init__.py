"""Which experts a token goes to: the router, what is observed of it, profiles that steer it."""
