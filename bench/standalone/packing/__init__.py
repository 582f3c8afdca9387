"""How `moevlm-bench` is built: the parts of bench/ that know no model, under a name that no project has of its own."""
