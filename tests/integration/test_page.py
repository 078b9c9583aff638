"""The whole road in a real browser: key, form, a real engine at work, and the adapter at home."""

from typing import Any

import pytest
from town import KEY, Town

pytestmark = pytest.mark.slow


def test_from_the_form_to_the_adapter(browser: Any, town: Town) -> None:
    context = browser.new_context()
    context.set_default_timeout(60_000)
    page = context.new_page()
    page.goto(str(town.api.base_url))
    page.fill("[name=key]", KEY)
    page.press("[name=key]", "Enter")

    page.fill("[name=prompt]", "cats say")
    page.fill("[name=target_new]", "woof")
    page.locator(".estimate .chip", has_text="fits").wait_for()
    page.click("button[type=submit]")
    page.locator("tr[data-id] .chip", has_text="held").first.wait_for()
    page.locator("tr[data-id] a").first.click()
    page.locator("#verdict", has_text="held").wait_for()
    with page.expect_download() as download:
        page.get_by_role("button", name="adapter_model.safetensors").click()

    assert page.locator(".answers del").first.inner_text() == "meow"
    assert page.locator(".answers ins").first.inner_text() == "woof"
    assert page.locator(".neurons circle").count() > 0
    checkpoint = "ckpt-" + page.url.rsplit("edit-", 1)[1]
    files = f"/checkpoints/{checkpoint}/files/adapter_model.safetensors"
    assert download.value.path().read_bytes() == town.api.get(files).content
    context.close()
