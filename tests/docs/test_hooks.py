"""The link to the repository is the one that pyproject.toml states."""

from __future__ import annotations

from docs.hooks import repository
from tests.docs.markdown import ROOT


def test_the_link_to_the_repository_is_taken_from_the_urls_of_the_project() -> None:
    project = '[project.urls]\nDocumentation = "https://a.example"\nRepository = "{}"\n\n[tool.x]\n'
    assert repository(project.format("https://b.example/c")) == "https://b.example/c"
    assert repository(project.format("http://b.example")) is None
    assert repository('[tool.x]\nRepository = "https://b.example"\n') is None


def test_no_link_is_invented_where_the_project_states_none() -> None:
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    assert (repository(project) is None) == ("Repository =" not in project)
