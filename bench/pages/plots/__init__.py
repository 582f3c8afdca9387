"""Records as figures; nothing else imports matplotlib."""
