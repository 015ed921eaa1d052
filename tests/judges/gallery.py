"""Everything that is judged, made once a run whatever number of workers it has: mails, pages, and Node's verdicts.

The first worker that takes the lock builds the folder, the others wait and read it.
"""

from __future__ import annotations

import fcntl
import json
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from playwright.sync_api import Browser, Page, Route

import newsletter.preview
from tests.judges import messages, pages
from tests.judges.messages import Mail
from tests.judges.pages import Kept

Scheme = Literal["light", "dark"]
SAMPLES = Path(newsletter.preview.__file__).parent / "scenarios"  # pictures of sample stories
_JUDGE = Path(__file__).parent / "judge.mjs"


@dataclass(frozen=True)
class Verdict:
    """What html-validate and caniemail say of one document: faults, and clients by the feature they lack."""

    html: list[str]
    clients: dict[str, list[str]]


@dataclass(frozen=True)
class Gallery:
    """The judged documents by name, where their pictures are, and the verdicts on them."""

    mails: dict[str, Mail]
    pages: dict[str, Kept]
    media: Path
    verdicts: dict[str, Verdict]
    unused_waivers: list[str]

    def open_mail(
        self, browser: Browser, name: str, *, width: int = 800, scheme: Scheme = "light", html: str | None = None
    ) -> Page:
        """A mail in a browser window ``width`` pixels wide; its pictures come from the demo's folder. Close it."""
        page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
        page.route("**/*", lambda route: self._picture(route))
        page.set_content(html or self.mails[name].html, wait_until="load")
        return page

    def open_page(self, browser: Browser, name: str, *, width: int = 1280, scheme: Scheme = "light") -> Page:
        """A web page in a browser window, with what it loads, as the server gave them. Close it."""
        kept = self.pages[name]
        page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
        page.route("**/*", lambda route: self._answer(route, kept))
        page.goto(kept.url, wait_until="load")
        if page.locator("#findings[data-source^='/']").count():  # the preview reads them after the picture
            page.locator("#findings[data-loaded]").wait_for(state="attached")
        return page

    def _picture(self, route: Route) -> None:
        name = route.request.url.rpartition("/")[2]
        path = next((folder / name for folder in (self.media, SAMPLES) if (folder / name).is_file()), None)
        if "/media/" in route.request.url and path is not None:
            route.fulfill(path=path)
        else:
            route.abort()

    def _answer(self, route: Route, asked: Kept) -> None:
        url = route.request.url
        if url.endswith("/changes"):
            return  # the preview waits for saves; an end would be told on the page
        kept = asked if url == asked.url else self.pages.get(url)
        if kept is not None:
            route.fulfill(status=kept.status, headers=kept.headers, body=kept.content)
        else:
            self._picture(route)


def gallery(folder: Path) -> Gallery:
    """The gallery in ``folder``, built where it is not there yet. Up to a minute on two busy cores."""
    folder.mkdir(exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "judged.json").exists():
            shutil.rmtree(folder / "demo", ignore_errors=True)
            shutil.rmtree(folder / "mails", ignore_errors=True)
            _build(folder)
    judged = json.loads((folder / "judged.json").read_text(encoding="utf-8"))
    return Gallery(
        messages.load_mails(folder),
        pages.load_pages(folder),
        folder / "demo" / "media",
        {name: Verdict(**verdict) for name, verdict in judged["verdicts"].items()},
        judged["unused"],
    )


def _build(folder: Path) -> None:
    configuration = messages.build(folder)
    pages.fetch_pages(configuration, folder)
    mails, kept = messages.load_mails(folder), pages.load_pages(folder)
    documents = [
        *({"name": name, "kind": "mail", "html": mails[name].html} for name in messages.MAILS),
        *({"name": name, "kind": "page", "html": kept[name].html} for name in pages.PAGES),
    ]
    judged = subprocess.run(
        ["node", str(_JUDGE)],
        input=json.dumps(documents).encode(),
        stdout=subprocess.PIPE,
        timeout=120,
        check=True,
    ).stdout
    (folder / "judged.json").write_bytes(judged)
