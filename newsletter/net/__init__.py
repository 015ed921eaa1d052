"""The only way out by HTTP: a client that connects to public addresses only and bounds size, time and redirects."""

from newsletter.net.client import Fetched, Fetcher

__all__ = ["Fetched", "Fetcher"]
