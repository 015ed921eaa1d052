"""Articles + a newsletter + an occurrence -> an edition: which stories, in which section, and why.

``selecting`` decides (pure), ``composing`` reads, decides and writes, ``explaining`` puts the
reasons into words, ``keys`` says which facts each reader's mail depends on.
"""
