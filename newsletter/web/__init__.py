"""The public pages: unsubscribing, preferences, an edition in the browser, pictures, health; and the API for a CMS.

A request comes in, ``members`` checks its link, a POST acts through ``members.consent``, a page goes out. GET and HEAD
change nothing, there are no cookies, and a link that is not ours gets the same plain page whatever is wrong with it.
"""
