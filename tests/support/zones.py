"""Forty time zones that readers live in, of every kind of offset."""

from __future__ import annotations

ZONES = (
    "Asia/Kolkata", "Europe/London", "Europe/Berlin", "America/New_York", "America/Los_Angeles", "Asia/Tokyo",
    "Australia/Sydney", "Pacific/Auckland", "America/Sao_Paulo", "Africa/Cairo", "Asia/Yangon", "Pacific/Honolulu",
    "Australia/Adelaide", "America/St_Johns", "Africa/Lagos", "Asia/Dubai", "Pacific/Kiritimati", "Asia/Tehran",
    "America/Chicago", "America/Denver", "America/Halifax", "America/Bogota", "America/Caracas", "America/Santiago",
    "Europe/Moscow", "Europe/Athens", "Europe/Lisbon", "Africa/Casablanca", "Africa/Nairobi", "Asia/Karachi",
    "Asia/Dhaka", "Asia/Kathmandu", "Asia/Bangkok", "Asia/Shanghai", "Asia/Seoul", "Australia/Perth", "Pacific/Apia",
    "Pacific/Chatham", "Atlantic/Azores", "Asia/Colombo",
)  # fmt: skip
