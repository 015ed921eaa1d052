"""Outside judges of what we make: html-validate, axe-core, caniemail, the standard library's e-mail parser, Chromium."""
