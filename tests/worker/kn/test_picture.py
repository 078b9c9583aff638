"""The picture of an edit, read back as XML."""

import xml.etree.ElementTree as ET
from dataclasses import replace

import pytest

from worker.kn.collect.neuron import Neuron, Scored
from worker.kn.picture import STRIP_LEFT, STRIP_RIGHT, Picture, Scale

SVG = "{http://www.w3.org/2000/svg}"
PICTURE = Picture(
    neurons=(
        Scored(Neuron(3, 7), 0.8),
        Scored(Neuron(3, 40), 0.4),
        Scored(Neuron(0, 1), 0.2),
    ),
    n_layer=4,
    d_ff=48,
    prompt="The capital of France is",
    before="Paris.",
    after="Rome.",
    verdict="held",
)


def test_each_neuron_is_a_dot_that_names_it() -> None:
    titles = [dot.findtext(f"{SVG}title") for dot in _found(PICTURE, "circle")]

    assert sorted(map(str, titles)) == [
        "layer 0, unit 1: 0.2",
        "layer 3, unit 40: 0.4",
        "layer 3, unit 7: 0.8",
    ]


def test_a_stronger_neuron_lies_further_right_and_a_higher_layer_higher() -> None:
    weakest, middle, strongest = _found(PICTURE, "circle")

    assert _at(weakest, "cx") < _at(middle, "cx") < _at(strongest, "cx")
    assert _at(strongest, "r") > _at(weakest, "r")
    assert _at(weakest, "cy") > _at(middle, "cy")


def test_the_largest_total_of_a_layer_has_the_longest_bar() -> None:
    low, high = [rect for rect in _found(PICTURE, "rect") if rect.get("class") == "bar"]

    assert (_at(low, "width"), _at(high, "width")) == (18.3, 110.0)  # 0.2 / 1.2 of 110, and 110


def test_prompt_answers_and_verdict_are_reported() -> None:
    told = _texts(PICTURE)

    assert "The capital of France is" in told
    assert "Paris. → Rome." in told
    assert "held · 3 neurons in 2 of 4 layers" in told


def test_texts_that_xml_would_misread_are_escaped() -> None:
    picture = replace(PICTURE, prompt='<b> & "日本"\x00\ud800 is', before="</text>", after="&amp;")

    told = _texts(picture)

    assert '<b> & "日本"\ufffd\ufffd is' in told
    assert "</text> → &amp;" in told


def test_a_long_prompt_is_cut_and_a_wide_letter_takes_two_columns() -> None:
    assert f"{'a' * 78}…" in _texts(replace(PICTURE, prompt="a" * 200))
    assert f"{'国' * 39}…" in _texts(replace(PICTURE, prompt="国" * 200))


def test_scores_of_zero_and_below_are_drawn() -> None:
    neurons = (Scored(Neuron(0, 0), -0.1), Scored(Neuron(1, 0), 0.0))

    below, zero = _found(replace(PICTURE, neurons=neurons), "circle")

    assert _at(below, "cx") == STRIP_LEFT + 10
    assert _at(zero, "cx") == STRIP_RIGHT - 10


def test_an_edit_of_many_neurons_in_many_layers_has_a_dot_for_each() -> None:
    neurons = tuple(Scored(Neuron(n % 80, n), 1 / (n + 1)) for n in range(1500))
    picture = replace(PICTURE, neurons=neurons, n_layer=80, d_ff=1500)

    assert len(_found(picture, "circle")) == 1500


def test_ticks_are_round_and_five_to_ten() -> None:
    assert Scale.over(0, 0.83).ticks() == pytest.approx([0, 0.2, 0.4, 0.6, 0.8])
    assert Scale.over(0, 2e-5).ticks() == pytest.approx([0, 5e-6, 1e-5, 1.5e-5, 2e-5])
    assert all(5 <= len(Scale.over(0, 1.07**n).ticks()) <= 10 for n in range(-200, 200))


def _found(picture: Picture, kind: str) -> list[ET.Element]:
    return list(ET.fromstring(picture.svg()).iter(SVG + kind))


def _texts(picture: Picture) -> list[str]:
    isolates = dict.fromkeys(map(ord, "\u2068\u2069"))
    return ["".join(text.itertext()).translate(isolates) for text in _found(picture, "text")]


def _at(element: ET.Element, name: str) -> float:
    return float(element.attrib[name])
