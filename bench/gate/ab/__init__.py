"""Base against head on one machine: two source trees, one worker process each, measured block by block in lock-step."""
