"""What else runs over the MoE's own tensors: other projects' models and expert backends, as further arms."""
