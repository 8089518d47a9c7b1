"""Drawings: safe with any name, in the colours of a run, and quick for large flows."""

from __future__ import annotations

from pathlib import Path
from time import process_time
from xml.etree import ElementTree

import pytest

from appliance.core.drawing.layout import layout
from appliance.core.edge import Edge
from appliance.core.flow import Flow
from appliance.core.states import Failed, Mapped, Success
from appliance.core.task import Task
from appliance.core.task_decorator import task

SVG = "{http://www.w3.org/2000/svg}"


@task
def use(x: int) -> int:
    return x


def test_names_can_break_neither_the_xml_nor_the_terminal() -> None:
    evil = '<script>alert(1)</script>"&\x1b[2J\x00\u202e'
    flow = Flow(evil, edges=[Edge(Task(evil, tags={"<b>"}), Task("b"))])
    drawing = flow.visualize()
    root = ElementTree.fromstring(drawing)
    assert not list(root.iter(f"{SVG}script"))
    assert root.get("role") == "img"
    assert [child.tag for child in list(root)[:2]] == [f"{SVG}title", f"{SVG}desc"]
    for text in (drawing, flow.visualize(format="ascii")):
        assert not {"\x1b", "\x00", "\u202e"} & set(text)


def test_mapped_tasks_are_stacks_dashed_arrows_and_the_colour_of_their_worst_child() -> None:
    with Flow("f") as flow:
        child = use.map([1, 2, 3])
    plain = ElementTree.fromstring(flow.visualize())
    assert sum(path.get("stroke-dasharray") is not None for path in plain.iter(f"{SVG}path")) == 1
    assert len(list(plain.iter(f"{SVG}rect"))) == 1 + 3 + 1  # the constant, the stack, the name of the argument
    states = {child: Mapped(map_states=[Success(), Failed("no"), Success()])}
    coloured = flow.visualize(Success(result=states))
    assert "#eb0000" in coloured
    assert "3: 2 Success, 1 Failed" in coloured
    assert "[mapped]  3: 2 Success, 1 Failed" in flow.visualize(states, format="ascii")
    with pytest.raises(TypeError, match="dict of tasks"):
        flow.visualize(3)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="'svg' or 'ascii'"):
        flow.visualize(format="png")  # type: ignore[arg-type]


def test_lanes_show_what_waits_for_what() -> None:
    a, b, c, d = Task("a"), Task("b"), Task("c"), Task("d")
    flow = Flow("f", edges=[Edge(a, b), Edge(a, c), Edge(b, d), Edge(c, d)])
    drawing = flow.visualize(format="ascii").splitlines()[2:]
    assert drawing == ["o  a-1", "+-.", "| o  b-1", "| |", "o |  c-1", "+-'", "o  d-1"]


def test_boxes_of_a_layer_never_overlap_and_arrows_lead_down() -> None:
    arrows = [(0, 2), (1, 2), (0, 3), (2, 4), (3, 4), (0, 4), (1, 5), (5, 6), (0, 6)]
    widths = [60.0, 200.0, 80.0, 50.0, 90.0, 120.0, 70.0]
    plan = layout(widths, [30.0] * 7, arrows)
    assert all(plan.y[source] < plan.y[target] for source, target in arrows)
    for i in range(7):
        for j in range(i):
            if plan.y[i] == plan.y[j]:
                assert abs(plan.x[i] - plan.x[j]) >= (widths[i] + widths[j]) / 2
    assert min(x - w / 2 for x, w in zip(plan.x, widths, strict=True)) >= 0


def test_large_flows_are_quick() -> None:
    tasks = [Task("t") for _ in range(2000)]
    flow = Flow("large", edges=[Edge(tasks[(i * 7919) % i], tasks[i]) for i in range(1, 2000)])
    began = process_time()
    flow.visualize()
    flow.visualize(format="ascii")
    assert process_time() - began < 5  # 0.3 s on a calm machine


def test_a_file_gets_the_drawing(tmp_path: Path) -> None:
    flow = Flow("f", tasks=[Task("a")])
    drawing = flow.visualize(filename=tmp_path / "f.svg")
    assert (tmp_path / "f.svg").read_text() == drawing == flow._repr_svg_()
    assert "o  a-1" in flow.visualize(filename=tmp_path / "f.txt")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["f.svg", "f.txt"]
