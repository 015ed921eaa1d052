"""The only way out by HTTP: a client that connects to public addresses only and bounds size, time and redirects.

``robots`` says what a host lets it ask for.
"""

from newsletter.net.client import Fetched, Fetcher
from newsletter.net.robots import Robots

__all__ = ["Fetched", "Fetcher", "Robots"]
