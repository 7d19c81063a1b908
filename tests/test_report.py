"""The picture and the page of a report say what the report says, and nothing else gets in."""

from __future__ import annotations

import html
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

from physcm.abstraction import Report, commutes, equilibrate, equilibrium_model
from physcm.abstraction.reporting.page import page, write_page
from physcm.abstraction.reporting.plot import AGREE, DIFFER, plain, square
from physcm.mechanism.errors import InvalidFile
from physcm.mechanism.expression import to_text
from physcm.mechanism.interventions import Hold, SetParameter
from physcm.sim import System, zoo

HOSTILE = "<script>alert('x')</script> & $a_{1}$ http://example.org"
_VOID = {"meta", "br", "hr", "img", "link", "input"}


def tanks(name: str = "two tanks") -> System:
    return System(
        {"h": "q - k*h", "g": "k*h - g"},
        parameters={"q": 1, "k": 2},
        initial={"h": 0.1, "g": 0.1},
        name=name,
        description="Water runs from one into the other.",
    )


def enzyme() -> System:
    rate = "k1*E*S - km*C - k2*C"
    return System(
        {"S": "-k1*E*S + km*C + f", "E": f"-({rate})", "C": rate, "P": "k2*C - d*P"},
        parameters={"k1": 1, "km": 1, "k2": 2, "f": 0.5, "d": 1},
        initial={"S": 1, "E": 1, "C": 0, "P": 0},
        bounds={name: (0, float("inf")) for name in "SECP"},
        name="enzyme",
    )


def pitchfork() -> System:
    return System(
        {"x": "u*x - x**3 + 0.1", "y": "x - y"},
        parameters={"u": -1.0},
        initial={"x": 0.3, "y": 0},
        name="pitchfork",
    )


def predators() -> System:
    return System(
        {"x": "x*(a - y)", "y": "y*(x - b)"},
        parameters={"a": 1, "b": 1},
        initial={"x": 2, "y": 1},
        bounds={"x": (0, float("inf")), "y": (0, float("inf"))},
        name="Lotka-Volterra",
    )


def walked(system: System, *interventions: Hold | SetParameter) -> Report:
    return commutes(system, equilibrium_model(system), interventions)


@cache
def report_of(kind: str) -> Report:
    match kind:
        case "commuting":
            return walked(tanks(), Hold("h", 0.1), SetParameter(q=3))
        case "constraints":
            return walked(enzyme(), Hold("S", 0.5), Hold("C", 0.25))
        case "failing":
            return walked(pitchfork(), Hold("x", 2.0), SetParameter(u=1.0))
    return walked(predators(), Hold("x", 2.0))


@pytest.fixture(params=["commuting", "constraints", "failing", "refused"])
def report(request: pytest.FixtureRequest) -> Report:
    return report_of(request.param)


@pytest.fixture(scope="module")
def crowd() -> Report:
    holds = [Hold(name, value) for name in "hg" for value in np.linspace(0.1, 1, 35)]
    return walked(tanks(), *holds)


class Reading(HTMLParser):
    """Reads a page, insisting that every element is closed in its turn."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[str] = []
        self.links: list[str] = []
        self.words: list[str] = []
        self.feed(text)
        self.close()
        assert not self.open

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_startendtag(tag, attrs)
        if tag not in _VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append(tag)
        self.links += [v or "" for k, v in attrs if k in ("src", "href", "xlink:href", "action")]

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words.append(data)


def labels(figure: Figure) -> list[str]:
    return [str(axes.get_label()) for axes in figure.axes]


def colors(figure: Figure) -> set[str]:
    return {to_hex(color) for axes in figure.axes for dots in axes.collections
            for color in dots.get_facecolor()}  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "ok", "has_equilibrium"),
    [
        ("commuting", True, True),
        ("constraints", True, True),
        ("failing", False, True),
        ("refused", False, False),
    ],
)
def test_the_reports_are_what_their_names_say(kind: str, ok: bool, has_equilibrium: bool) -> None:
    report = report_of(kind)
    assert (report.ok, report.rows[0].has_equilibrium) == (ok, has_equilibrium)


def test_the_page_has_the_verdict_and_every_row(report: Report) -> None:
    text = Reading(page(report)).text
    for words in (report.low.name, report.verdict, *(row.why for row in report.rows)):
        assert " ".join(words.replace("`", " ").split()) in " ".join(text.replace("`", " ").split())
    for row in report.rows:
        assert text.count(row.intervention) >= 2, "in the table and in the details"
        assert row.simulation in text
        assert row.prediction in text


def test_the_page_loads_nothing(report: Report) -> None:
    reading = Reading(page(report))
    assert all(link.startswith("#") for link in reading.links)
    assert not {"script", "link", "iframe", "img", "object", "base"} & {*reading.seen}
    assert "http" not in page(report)
    assert "@import" not in page(report)
    assert "url(" not in page(report).replace("url(#", "")


def test_the_page_shows_both_models_and_the_file(report: Report) -> None:
    text = html.unescape(page(report))
    for name, drift in report.low.drift.items():
        assert f"d{name}/dt" in text
        assert f"= {to_text(drift)}" in text
    assert report.low.to_toml() in text
    assert "prefers-color-scheme: dark" in text
    assert "@media print" in text


def test_a_causal_constraints_model_is_shown_with_what_lifts_each_constraint() -> None:
    text = Reading(page(report_of("constraints"))).text
    assert "C + E = C(0) + E(0)" in text
    assert "lifted by holding" in text
    assert "C, E" in text


def test_names_from_files_are_text_and_never_markup(tmp_path: Path) -> None:
    report = walked(tanks(HOSTILE))
    text = page(report)
    assert "<script" not in text
    assert "script" not in Reading(text).seen
    assert HOSTILE in Reading(text).text
    report.plot().savefig(tmp_path / "square.png")


def test_the_same_report_gives_the_same_page(report: Report) -> None:
    assert page(report) == page(report)


def test_a_page_is_written_whole(report: Report, tmp_path: Path) -> None:
    report.to_html(tmp_path / "page.html")
    assert (tmp_path / "page.html").read_text(encoding="utf-8") == page(report)
    assert [path.name for path in tmp_path.iterdir()] == ["page.html"]


def test_nothing_is_left_where_a_page_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(InvalidFile, match=r"absent.*page\.html: No such file.*choose another"):
        write_page(report_of("commuting"), tmp_path / "absent" / "page.html")
    (tmp_path / "taken.html").mkdir()
    with pytest.raises(InvalidFile, match=r"taken\.html: .*choose another place"):
        write_page(report_of("commuting"), tmp_path / "taken.html")
    assert [path.name for path in tmp_path.iterdir()] == ["taken.html"]


def test_the_picture_is_a_valid_file_and_leaves_no_trace(report: Report, tmp_path: Path) -> None:
    before = dict(mpl.rcParams)
    report.plot().savefig(tmp_path / "square.png")
    report.plot().savefig(tmp_path / "square.svg")
    page(report)
    assert (tmp_path / "square.png").read_bytes().startswith(b"\x89PNG")
    assert ElementTree.parse(tmp_path / "square.svg").getroot().tag.endswith("svg")
    assert dict(mpl.rcParams) == before


def test_the_picture_has_the_states_and_a_line_per_intervention(report: Report) -> None:
    figure = square(report)
    assert labels(figure) == ["states", "differences"]
    lines = [text.get_text() for text in figure.axes[1].get_yticklabels()]
    assert lines == [row.intervention for row in report.rows]


def test_the_picture_has_the_color_of_disagreement_only_where_something_disagrees() -> None:
    assert DIFFER not in colors(square(report_of("commuting")))
    assert {AGREE, DIFFER} <= colors(square(report_of("failing")))


def test_points_lie_on_the_diagonal_where_the_square_commutes() -> None:
    states = square(report_of("commuting")).axes[0]
    points = np.concatenate([np.asarray(dots.get_offsets()) for dots in states.collections])
    assert len(points) == 3 * 2 * 3, "interventions, variables, initial states"
    np.testing.assert_allclose(points[:, 0], points[:, 1], atol=1e-5)
    assert points.max() == pytest.approx(1), "each variable relative to its largest size"


def test_what_comes_to_rest_at_zero_lies_on_the_diagonal_too() -> None:
    """A momentum of 1e-9 is no momentum beside those on the way there."""
    system = zoo.load("coupled_oscillators", masses=2)
    axes = commutes(system, equilibrate(system), []).plot().axes[0]
    x, y = np.concatenate([np.asarray(drawn.get_offsets()) for drawn in axes.collections]).T
    np.testing.assert_allclose(x, y, atol=1e-4)


def test_a_picture_without_anything_to_compare_says_so() -> None:
    states = square(walked(predators())).axes[0]
    assert any("no intervention has both" in text.get_text() for text in states.texts)


def test_many_interventions_stand_in_two_columns_in_order(crowd: Report) -> None:
    figure = square(crowd)
    assert labels(figure) == ["states", "differences", "differences"]
    lines = [text.get_text() for axes in figure.axes[1:] for text in axes.get_yticklabels()]
    assert lines == [row.intervention for row in crowd.rows]
    assert figure.get_figheight() < 15
    boxes = [axes.get_position() for axes in figure.axes]
    assert all(0 < box.y0 < box.y1 < 1 and 0 < box.x0 < box.x1 < 1 for box in boxes)


def test_text_in_the_picture_is_not_read_as_mathematics() -> None:
    assert plain("$a$\nb") == r"\$a\$ b"
    assert plain("α \N{CJK UNIFIED IDEOGRAPH-6570}") == "α ?", "what the font does not have"
    assert plain("do(" + "x" * 50 + " = 0.25)", 20).endswith("= 0.25)")


def test_interventions_that_fail_for_the_same_reason_are_named_together() -> None:
    switch = zoo.load("toggle_switch")
    report = commutes(switch, equilibrium_model(switch), [SetParameter(alpha1=3.9)])
    text = str(report)
    assert text.count("2 stable equilibria coexist") == 2  # in the verdict, and once below
    assert f"  nothing, {report.rows[1].intervention}: 2 stable equilibria" in text
