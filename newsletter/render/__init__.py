"""Edition -> pieces -> variant -> message.

Once per rendered key: Jinja2 and premailer (``document``, ``whole``), giving encoded pieces, as much of the edition as
its size budget holds (``fitting``). Once per joined key: choosing and ordering pieces (``joining``). Per subscriber:
filling slots and joining bytes (``message``), never a template.
"""
