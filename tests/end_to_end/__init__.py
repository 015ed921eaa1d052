"""Whole processes: the console script against real servers, seen from where the mail arrives."""
