"""Sources -> articles: read, extract, recognise, keep. ``collecting`` runs it; the rest are its parts.

net (bytes) -> worker process: feed | pages | folder (articles, sanitised) -> identity -> pictures -> store.articles.
"""
