"""The gate's own error rates on this machine: `ab` on unchanged and on slowed code, suite after suite."""
