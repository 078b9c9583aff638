"""The pages' files as they go over the wire."""

import re
from collections.abc import Callable
from graphlib import TopologicalSorter

import httpx
import pytest

from app.routes.page import DIRECTORY
from contract.keys import entry_of, new_key


@pytest.mark.parametrize("path", ["/", "/docs"])
def test_a_page_is_html_and_all_that_it_names_is_served_here(api: httpx.Client, path: str) -> None:
    page = api.get(path)

    named = re.findall(r'(?:src|href)="(page/[^"]+)"', page.text)

    assert page.headers["Content-Type"] == "text/html; charset=utf-8"
    assert len(named) >= 3
    assert [api.get(f"/{file}").status_code for file in named] == [200] * len(named)


def test_modules_import_nothing_but_each_other() -> None:
    for module in DIRECTORY.glob("*.js"):
        for imported in re.findall(r'from "([^"]+)"', module.read_text()):
            assert (DIRECTORY / imported).is_file(), (module.name, imported)


def test_no_module_imports_itself_by_way_of_others() -> None:
    imported = {
        module.name: set(re.findall(r'from "\./([^"]+)"', module.read_text()))
        for module in DIRECTORY.glob("*.js")
    }

    order = TopologicalSorter(imported).static_order()

    assert set(order) == imported.keys()


def test_nothing_is_loaded_from_elsewhere() -> None:
    for file in DIRECTORY.iterdir():
        text = file.read_text().replace("http://www.w3.org/2000/svg", "")
        assert not re.search(r"https?://", text), file.name


def test_the_policy_lets_the_page_run_its_own_scripts_and_no_others(api: httpx.Client) -> None:
    policy = api.get("/").headers["Content-Security-Policy"]

    assert "default-src 'none'" in policy
    assert "script-src 'self'" in policy
    assert "unsafe" not in policy


def test_other_answers_keep_the_strictest_policy(api: httpx.Client) -> None:
    policy = api.get("/livez").headers["Content-Security-Policy"]

    assert policy == "default-src 'none'; frame-ancestors 'none'"


def test_a_page_is_sent_once(api: httpx.Client) -> None:
    tag = api.get("/").headers["ETag"]

    again = api.get("/", headers={"If-None-Match": tag})

    assert (again.status_code, again.content) == (304, b"")


@pytest.mark.parametrize("name", ["nothing.js", "..%2Fmain.py", "%2Fetc%2Fpasswd", "."])
def test_nothing_but_the_pages_files_is_served(api: httpx.Client, name: str) -> None:
    assert api.get(f"/page/{name}").status_code == 404


def test_the_page_is_shown_without_a_key_and_nothing_else(
    serve: Callable[..., httpx.Client],
) -> None:
    guarded = serve(api_keys=entry_of("search", new_key()))

    opened = [guarded.get(path).status_code for path in ("/", "/docs", "/page/main.js")]

    assert opened == [200, 200, 200]
    assert guarded.get("/edits").status_code == 401
