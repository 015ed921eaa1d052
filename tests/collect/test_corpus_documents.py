"""The corpus of saved files: each is read as its ``.expected.yaml`` says, written by reading it, not by running it."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from newsletter.collect.folder import SUFFIXES, read_document
from newsletter.collect.source_facts import SourceFacts
from newsletter.model import Picture

CORPUS = Path(__file__).parents[1] / "corpus" / "documents"
DOCUMENTS = sorted(path for path in CORPUS.iterdir() if path.suffix in SUFFIXES)
PLAIN = {"url", "headline", "standfirst", "authors", "dateline", "section", "tags", "language", "access", "teaser"}


def expected_of(path: Path) -> dict[str, Any]:
    loaded: dict[str, Any] = YAML(typ="safe").load(path.with_name(f"{path.stem}.expected.yaml"))
    return loaded


def test_the_corpus_is_there_whole() -> None:
    assert len(DOCUMENTS) >= 10
    assert {path.name for path in CORPUS.glob("*.expected.yaml")} == {f"{one.stem}.expected.yaml" for one in DOCUMENTS}


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_a_document_is_read_as_a_person_reads_it(path: Path) -> None:
    wanted = expected_of(path)
    article = read_document(path.read_bytes(), SourceFacts("desk", **wanted.pop("given", {})), name=path.name)
    assert article.guid == path.name
    for key, value in wanted.items():
        match key:
            case "published_at" | "updated_at":
                assert getattr(article, key) == (datetime.fromisoformat(value) if value else None), key
            case "images":
                assert list(article.images) == [Picture(**one) for one in value]
            case "body_begins":
                assert article.body_text.startswith(value), article.body_text
            case "body_ends":
                assert article.body_text.endswith(value), article.body_text
            case "body_lacks":
                assert [words for words in value if words in article.body_text] == []
            case "html_has":
                assert [words for words in value if words not in article.body_html] == [], article.body_html
            case "html_lacks":
                assert [words for words in value if words in article.body_html] == []
            case "paragraphs":
                assert len(article.body_text.split("\n\n")) == value, article.body_text
            case _:
                assert key in PLAIN, f"{key} is no key of an expected article"
                found = getattr(article, key)
                assert (list(found) if isinstance(found, tuple) else found) == value, key
