"""An ``Authorization: Bearer`` header -> the token it holds, or the refusal that RFC 6750 section 3 asks for.

The token is looked up by its hash. One that was never made and one that was revoked get the same answer; a token in the
address or in a form (sections 2.2 and 2.3) is not looked at, for addresses end up in logs.
"""

from __future__ import annotations

import re

from starlette.requests import Request

from newsletter.store import api_tokens
from newsletter.store.api_tokens import ApiToken, Scope
from newsletter.web.pages import Pages
from newsletter.web.problems import Problem

_REALM = 'Bearer realm="newsletter"'
_BEARER = re.compile(r"bearer +(\S+)", re.IGNORECASE)  # RFC 9110 section 11.1: schemes ignore letter case


async def permitted(pages: Pages, request: Request, scope: Scope) -> ApiToken:
    """The token of this request, if it has ``scope``; it is marked as used. Raises Problem 400, 401 and 403."""
    given = request.headers.getlist("authorization")
    if len(given) > 1:
        raise _refused(400, "invalid_request", "there is more than one Authorization header")
    match = _BEARER.fullmatch(given[0].strip()) if given else None
    if match is None:
        # Section 3.1: who did not try to authenticate is told how, and of no error.
        raise Problem(401, "a token is needed: Authorization: Bearer nlt_…", headers={"WWW-Authenticate": _REALM})
    token = await pages.store.read_async(api_tokens.by_hash, api_tokens.token_hash(match[1]))
    if token is None:
        raise _refused(401, "invalid_token", "this token is not known, or is revoked")
    now = pages.clock()
    if not api_tokens.use_is_recent(token, now):
        await pages.store.write_async(api_tokens.touch, token.name, now)
    if scope not in token.scopes:
        raise insufficient(f"this token lacks the scope {scope}", scope)
    return token


def insufficient(detail: str, scope: Scope) -> Problem:
    """The refusal of a token that is good, but not for this."""
    return _refused(403, "insufficient_scope", detail, f', scope="{scope.value}"')


def _refused(status: int, error: str, detail: str, more: str = "") -> Problem:
    challenge = f'{_REALM}, error="{error}", error_description="{detail}"{more}'
    return Problem(status, detail, headers={"WWW-Authenticate": challenge})
