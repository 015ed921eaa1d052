"""The process that parses: jobs come in over a socket, results go back, nothing else. Started by ``parsing.Parser``."""

from __future__ import annotations

import logging
import pickle
import signal
import sys
import warnings
from multiprocessing.connection import Connection

from newsletter.errors import NewsletterError, SourceError

# Bytes of address space beyond which a parser gets MemoryError instead of the machine getting into trouble.
_MEMORY = 2 << 30
_GRACE_SECONDS = 5


def serve(pipe: Connection) -> None:
    """Answer jobs until the other end closes."""
    while True:
        try:
            job = pipe.recv_bytes()
        except (EOFError, OSError):
            return
        seconds, work, args, kwargs = pickle.loads(job)  # noqa: S301 - from the parent, over our own socket pair
        pipe.send("started")  # whatever had to be imported for this job now is
        # If the parent is gone, nobody kills us; an alarm ends even code that never returns to the interpreter.
        signal.setitimer(signal.ITIMER_REAL, seconds + _GRACE_SECONDS)
        answer: object
        try:
            answer = (work(*args, **kwargs),)
        except NewsletterError as error:
            answer = error
        except Exception as error:  # parsers raise anything at all; it is this source's error
            detail = (str(error).splitlines() or [""])[0][:160]
            answer = SourceError(f"it could not be read ({type(error).__name__}: {detail})")
        signal.setitimer(signal.ITIMER_REAL, 0)
        try:
            pipe.send(answer)
        except OSError:
            return


def main() -> None:
    """Set the limits of this process, then serve."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent, which then closes the socket
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    if sys.platform == "linux":
        import resource

        _, most = resource.getrlimit(resource.RLIMIT_AS)
        resource.setrlimit(
            resource.RLIMIT_AS, (_MEMORY if most == resource.RLIM_INFINITY else min(_MEMORY, most), most)
        )
    logging.disable()
    warnings.simplefilter("ignore")
    serve(Connection(int(sys.argv[1])))


if __name__ == "__main__":
    main()
