"""Newsletters and notifications for newsrooms: sources -> articles -> editions -> pieces -> deliveries."""

__version__ = "0.1.0"
