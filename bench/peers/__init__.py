"""What else runs over our models' own weights: other projects' models, expert backends and engines, as further arms."""
