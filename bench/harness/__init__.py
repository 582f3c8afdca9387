"""How a scenario is measured, recorded and judged. It takes callables and numbers, and knows no model and no inputs."""
