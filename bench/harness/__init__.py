"""How a scenario is measured and recorded. It takes callables and numbers, and knows no model and no inputs."""
