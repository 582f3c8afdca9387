"""What every program of this tree is made of: its command line, how it prints, and how it ends; not what it does."""
