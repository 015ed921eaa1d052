"""The command line: one module per command group, thin; errors become one line and an exit code in ``app``.

Modules here import libraries inside their commands: ``newsletter --help`` must be quick.
"""

from newsletter.cli.app import main

__all__ = ["main"]
