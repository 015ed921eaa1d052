"""Real servers and builders for the tests: PostgreSQL, SMTP, browsers. Everything on 127.0.0.1."""
