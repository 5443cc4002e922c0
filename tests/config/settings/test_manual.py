"""The manual is the schema: the page in docs is what the schema makes, and its example loads."""

import re
from pathlib import Path

from config.settings import Settings, Source, load
from config.settings.document import _EXAMPLES, manual
from config.settings.environment import variable_of
from config.settings.schema import fields, named_record_of, record_of, sentence

PAGE = Path(__file__).parents[3] / "docs" / "configuration.md"
REMEDY = 'python -c "from config.settings.document import manual; print(manual(), end=str())" > docs/configuration.md'


def test_the_page_in_docs_is_what_the_schema_makes() -> None:
    assert PAGE.read_text() == manual(), f"write it again: {REMEDY}"


def test_the_page_has_each_key_of_each_record_with_its_sentence() -> None:
    page = manual()
    todo = [Settings]
    while todo:
        for field in fields(todo.pop()).values():
            inner = named_record_of(field) or record_of(field)
            if inner is None:
                assert re.search(rf"^\| `{field.name}` \| .+ \| .+ \| {re.escape(sentence(field))}", page, re.MULTILINE)
            else:
                todo.append(inner)


def test_the_example_and_its_variables_load() -> None:
    example = re.findall(r"```toml\n(.*?)```", manual(), re.DOTALL)[0]
    found = load([Source("page", example)], {variable_of(path): value for path, value in _EXAMPLES})
    session = found.settings.sessions["es-trend"]
    assert (session.symbols, session.params["fast"], session.autostart) == (("ES", "NQ"), 12, False)
