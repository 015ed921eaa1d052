"""``python -m newsletter`` is the console script."""

from newsletter.cli import main

if __name__ == "__main__":
    main()
