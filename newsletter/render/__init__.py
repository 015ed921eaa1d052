"""Edition -> pieces -> variant -> message.

Once per rendered key: Jinja2 and premailer (``document``), giving encoded pieces. Once per joined key: choosing and
ordering pieces (``joining``). Per subscriber: filling slots and joining bytes (``message``), never a template.
"""
