"""API keys, and the lists that keep them."""

import os
from pathlib import Path

import pytest

from contract.keys import KeyRing, Keys, KeysError, entry_of, new_key

ABC = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"  # SHA-256 of "abc"


def test_an_entry_holds_the_digest_and_not_the_key() -> None:
    assert entry_of("search", "abc") == f"search:{ABC}"


def test_keys_differ_and_say_what_they_are() -> None:
    assert new_key() != new_key()
    assert new_key().startswith("pal_")
    assert len(new_key()) == 47


def test_a_list_is_apart_by_commas_and_lines_with_comments() -> None:
    keys = Keys.parse(f"# teams\na:{ABC}, b:{'0' * 64}\n\nc:{'1' * 64} # gone soon\n", source="x")

    assert keys.owners == {ABC: "a", "0" * 64: "b", "1" * 64: "c"}
    assert keys.owner_of("abc") == "a"
    assert keys.owner_of("abd") is None
    assert keys.owner_of("\udcff") is None


@pytest.mark.parametrize("entry", ["pal_secret", "a:abc", f":{ABC}", f"a b:{ABC}", f"a:{ABC}0"])
def test_an_entry_of_another_form_is_refused_and_not_repeated(entry: str) -> None:
    with pytest.raises(KeysError, match="entry 2") as refused:
        Keys.parse(f"a:{ABC},{entry}", source="api_keys")

    assert entry not in str(refused.value)


@pytest.mark.parametrize("name", ["", "two words", "x" * 65, "a:b", "a,b", "line\n"])
def test_a_name_that_could_not_be_listed_is_refused(name: str) -> None:
    with pytest.raises(KeysError):
        entry_of(name, "abc")


def test_a_ring_without_keys_is_empty() -> None:
    assert KeyRing(Keys(), None).is_empty
    assert not KeyRing(Keys({ABC: "a"}), None).is_empty


def test_a_file_is_read_again_when_it_changes(tmp_path: Path) -> None:
    file = tmp_path / "keys"
    file.write_text(entry_of("a", "first"))
    ring = KeyRing(Keys({ABC: "told"}), file)

    assert (ring.owner_of("first"), ring.owner_of("abc")) == ("a", "told")

    file.write_text(entry_of("b", "other"))
    os.utime(file, ns=(1, 1))

    assert (ring.owner_of("first"), ring.owner_of("other")) == (None, "b")
    assert not ring.is_empty


@pytest.mark.parametrize("content", [None, "", "# none\n", "pal_secret\n"])
def test_a_file_without_a_usable_key_lets_nothing_start(
    content: str | None, tmp_path: Path
) -> None:
    file = tmp_path / "keys"
    if content is not None:
        file.write_text(content)

    with pytest.raises(KeysError, match="keys"):
        KeyRing(Keys(), file)


def test_a_file_that_went_away_lets_nobody_in(tmp_path: Path) -> None:
    file = tmp_path / "keys"
    file.write_text(entry_of("a", "first"))
    ring = KeyRing(Keys(), file)
    file.unlink()

    with pytest.raises(KeysError):
        ring.owner_of("first")
    with pytest.raises(KeysError, match="cannot be read"):
        ring.check()
    assert not ring.is_empty


def test_a_key_that_was_told_opens_whatever_became_of_the_file(tmp_path: Path) -> None:
    file = tmp_path / "keys"
    file.write_text(entry_of("a", "first"))
    ring = KeyRing(Keys({ABC: "told"}), file)
    file.write_text("garbled")

    assert ring.owner_of("abc") == "told"


def test_a_ring_without_a_file_has_nothing_that_could_not_be_read() -> None:
    KeyRing(Keys({ABC: "a"}), None).check()
