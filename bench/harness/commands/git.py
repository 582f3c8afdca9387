"""What a command asks of git."""

import subprocess


def git(*arguments: str) -> str:
    """Return git's answer; empty where it cannot answer (no repository, no tag)."""
    try:
        answer = subprocess.run(["git", *arguments], capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return ""
    return answer.stdout.strip()
