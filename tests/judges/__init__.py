"""Outside judges: html-validate, axe-core, caniemail, the standard library's e-mail parser, Chromium."""
