"""The pull request's comment, read as GitHub would: through a markdown parser that is not ours."""

import dataclasses
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from markdown_it import MarkdownIt

from bench.gate.ab.launches import PairedLaunch
from bench.gate.ab.profile import OperationChange, ScenarioProfile
from bench.gate.ab.result import Comparison
from bench.gate.ab.verdicts import Judgement
from bench.gate.ab.worktree import SourceTree
from bench.gate.comment import MOST_LETTERS, MOST_OPERATIONS, comment, sentence
from bench.gate.comment_rows import HEADERS, MOST_ROWS
from bench.gate.groups import SUITE
from bench.gate.posted import MARKER
from bench.gate.since import Earlier, SaidForm, SideForm
from bench.gate.stats import Interval
from bench.gate.verdict import Change, Control, ScenarioVerdict, Verdict
from tests.bench.github import page_of, seen
from tests.bench.hostile_names import HOSTILE

GITHUB_LIMIT = 65_536  # characters of a comment


def tree(*, is_dirty: bool = False) -> SourceTree:
    return SourceTree(folder=Path("x"), tree=Path("x"), commit="0123456789abcdef", is_dirty=is_dirty, has_package=True)


def comparison_of(*verdicts: ScenarioVerdict, launches: Sequence[PairedLaunch] = (), **fields: Any) -> Comparison:
    given = {"base": tree(), "head": tree(is_dirty=True), "launches": launches, "seconds": 1.0, **fields}
    given.setdefault("software", "transformers 5.24.0")
    given.setdefault("judgement", Judgement(scenarios=verdicts, groups=(), evidence=None))
    return Comparison(**given)


def launch(
    scenario: str, moe: tuple[float, float], dense: tuple[float, float], *, is_placebo: bool = False, **params: str
) -> PairedLaunch:
    arms = {
        arm: ([0.5 * base, base, 9 * base], [0.5 * head, head, 9 * head])
        for arm, (base, head) in (("moe", moe), ("dense", dense))
    }
    return PairedLaunch(
        scenario=scenario,
        arms=arms,
        is_placebo=is_placebo,
        sign=1.0,
        counted=False,
        metric="tpot_s",
        params={"scale": "tiny", **params},
    )


def test_accepted_answers_are_told_with_the_reason_and_what_changed() -> None:
    plain = launch("b", (1.0, 1.0), (1.0, 1.0))
    changed = dataclasses.replace(plain, scenario="a", changed="moe: logits differ by 0.02")
    comparison = comparison_of(launches=[changed, plain], accept_answers="a new epsilon")
    said = comment(comparison)
    assert "Answers of 1 scenario changed, accepted: `a new epsilon`" in said
    assert "- `a`: `moe: logits differ by 0.02`" in said
    accepted = {"reason": "a new epsilon", "changed": {"a": "moe: logits differ by 0.02"}}
    assert comparison.document()["accepted_answers"] == accepted
    assert "accepted" not in comment(comparison_of(launches=[plain], accept_answers="a new epsilon"))


def change(arm: str, percent: float, half_width: float, tolerance: float) -> Change:
    low, centre, high = (math.log1p(p / 100) for p in (percent - half_width, percent, percent + half_width))
    return Change(
        control=Control(arm=arm, against="base"),
        interval=Interval(centre, low, high),
        tolerance=math.log1p(tolerance / 100),
        verdict=Verdict.REGRESSED,
        suspect=True,
    )


def tables(text: str) -> list[list[list[str]]]:
    """Return the cells of every table, as a reader sees them."""
    found: list[list[list[str]]] = []
    tokens = MarkdownIt("commonmark").enable("table").parse(text)
    for i, token in enumerate(tokens):
        if token.type == "table_open":
            found.append([])
        elif token.type == "tr_open":
            found[-1].append([])
        elif token.type in ("td_open", "th_open"):
            children = tokens[i + 1].children or []
            found[-1][-1].append("".join(child.content for child in children))
    return found


def column(rows: list[list[str]], header: str) -> list[str]:
    place = rows[0].index(header)
    return [row[place] for row in rows[1:]]


def test_a_row_has_both_values_the_changes_and_what_could_have_been_seen() -> None:
    slow = ScenarioVerdict(
        scenario="bench_decode[x]",
        verdict=Verdict.REGRESSED,
        where="MoE",
        changes=(change("moe", 10.0, 1.5, 2.0), change("dense", 0.5, 1.0, 2.5)),
    )
    launches = [
        launch("bench_decode[x]", (0.010, 0.011), (0.02, 0.02)),
        launch("bench_decode[x]", (0.012, 0.0132), (0.02, 0.02)),
        launch("bench_decode[x]", (0.5, 0.5), (0.5, 0.5), is_placebo=True),
    ]
    headers, row = tables(comment(comparison_of(slow, launches=launches)))[0]
    assert tuple(headers) == HEADERS
    assert row == [
        *("REGRESSED", "MoE +10.0 % [+8.5, +11.5]", "bench_decode[x]"),
        *("11.0 ms", "12.1 ms"),  # the median over launches of the medians over blocks, and that times the change
        *("dense +0.5 % [-0.5, +1.5]", "MoE", "2.5 %"),
    ]
    _, row = tables(comment(comparison_of(dataclasses.replace(slow, where="dense"), launches=launches)))[0]
    assert (row[1], row[5]) == ("dense +0.5 % [-0.5, +1.5]", "MoE +10.0 % [+8.5, +11.5]")  # of whom the verdict is


@pytest.mark.parametrize(
    ("metric", "sign", "base", "percent", "shown"),
    [
        ("tpot_s", 1.0, 0.010, 6.3, ["10.0 ms", "10.6 ms"]),
        ("output_tok_per_s", -1.0, 100.0, 25.0, ["100 tok/s", "80.0 tok/s"]),  # a rate that is worse is lower
        ("peak_bytes", 1.0, 2.0**20, 100.0, ["1.00 MiB", "2.00 MiB"]),
    ],
)
def test_heads_value_is_bases_times_the_change_whatever_the_blocks_of_head_say(
    metric: str, sign: float, base: float, percent: float, shown: list[str]
) -> None:
    """Medians of either side alone can say the opposite of the change, which is taken block by block."""
    measured = dataclasses.replace(launch("a", (base, 0.9 * base), (1.0, 1.0)), metric=metric, sign=sign)
    slow = ScenarioVerdict(scenario="a", verdict=Verdict.REGRESSED, changes=(change("moe", percent, 1.0, 2.0),))
    _, row = tables(comment(comparison_of(slow, launches=[measured])))[0]
    assert row[3:5] == shown


def test_what_is_not_ok_is_open_and_the_rest_folded() -> None:
    fine = [ScenarioVerdict(scenario=f"ok{i}", verdict=Verdict.OK) for i in range(6)]
    slow = ScenarioVerdict(scenario="slow", verdict=Verdict.REGRESSED, where="MoE")
    text = comment(comparison_of(*fine, slow))
    opened, closed = tables(text)
    assert text.startswith(MARKER)
    assert column(opened, "scenario") == ["slow"]
    assert column(closed, "scenario") == [one.scenario for one in fine]
    assert "<summary>6 more scenarios</summary>" in text


def test_where_all_is_well_the_sentence_stands_alone_above_folded_parts() -> None:
    text = comment(comparison_of(ScenarioVerdict(scenario="a", verdict=Verdict.OK)))
    above, _ = text.split("<details>")
    assert above.splitlines()[1] == "**OK**"
    assert tables(above) == []
    assert "<summary>1 scenario</summary>" in text


def test_the_first_line_is_the_sentence_of_the_verdict() -> None:
    slower = (change("moe", 6.0, 1.0, 2.0),)
    group = ScenarioVerdict(scenario=SUITE, verdict=Verdict.REGRESSED, changes=slower)
    slow = ScenarioVerdict(scenario="a", verdict=Verdict.REGRESSED, changes=slower)
    found = comparison_of(judgement=Judgement(scenarios=[slow], groups=[group], evidence=None))
    assert sentence(found) == "REGRESSED: MoE 6 % slower"
    assert comment(found).splitlines()[1] == "**REGRESSED: MoE 6 % slower**"


def test_one_scenario_alone_has_a_sentence_too() -> None:
    changes = (change("moe", 6.0, 1.0, 5.0),)
    slow = ScenarioVerdict(scenario="bench_a[1]", verdict=Verdict.REGRESSED, changes=changes)
    assert sentence(comparison_of(slow)) == "REGRESSED: MoE 6 % slower"
    assert sentence(comparison_of(slow, slow)) == "REGRESSED"


def test_each_reason_is_given_once_with_those_that_have_it() -> None:
    alike = [ScenarioVerdict(scenario=f"s{i}", verdict=Verdict.INCONCLUSIVE, why="3 min more") for i in range(20)]
    other = ScenarioVerdict(scenario="x", verdict=Verdict.FAILED, why="killed")
    bullets = [line for line in comment(comparison_of(*alike, other)).splitlines() if line.startswith("- ")]
    assert bullets == ["- `x`: FAILED, `killed`", "- `s0`, `s1`, `s2` and 17 more: INCONCLUSIVE, `3 min more`"]


def test_the_second_line_counts_and_names_both_sides() -> None:
    both = [ScenarioVerdict(scenario=one.value, verdict=one) for one in (Verdict.OK, Verdict.REGRESSED)]
    lines = comment(comparison_of(*both)).splitlines()
    assert lines[3] == "1 REGRESSED, 1 OK · 0123456789 with uncommitted changes against 0123456789."


def test_machine_load_versions_launches_and_time_are_one_line_and_the_command_another() -> None:
    said = comment(
        comparison_of(
            ScenarioVerdict(scenario="a", verdict=Verdict.OK),
            launches=[launch("a", (1.0, 1.0), (1.0, 1.0))],
            software="transformers 5.24.0, torch 2.13.0, Python 3.11.7",
            machine="2 x Acme",
            load=(0.25, 3.0),
            command="python -m bench ab --base 0123456789ab -- --scale tiny",
        )
    ).splitlines()
    (line,) = (line for line in said if line.startswith("<sub>"))
    assert line.startswith(
        "<sub>2 x Acme · load 0.2 to 3.0 · transformers 5.24.0, torch 2.13.0, Python 3.11.7 · "
        "1 to 1 launches a scenario, 0 launches of base against itself, 1 s."
    )
    assert "Again: `python -m bench ab --base 0123456789ab -- --scale tiny`" in said


def test_what_changed_since_the_last_push_is_said() -> None:
    earlier = Earlier(
        head=SideForm(commit="f" * 40),
        verdicts=(SaidForm("a", Verdict.OK), SaidForm("b", Verdict.REGRESSED), SaidForm("gone", Verdict.OK)),
    )
    now = [ScenarioVerdict(scenario=n, verdict=v) for n, v in (("a", Verdict.REGRESSED), ("b", Verdict.OK))]
    said = comment(comparison_of(*now), earlier)
    assert "Since `ffffffffff`: 1 OK became REGRESSED (`a`); 1 REGRESSED became OK; 0 scenarios as before." in said


def test_moe_is_set_against_dense_by_scale_batch_and_length() -> None:
    axes = {"batch_size": "1", "seq_len": "128"}
    fine = [ScenarioVerdict(scenario=name, verdict=Verdict.OK) for name in ("bench_decode[x]", "bench_decode[y]")]
    launches = [  # dense / MoE at base 2 and 0.5, geometric mean 1; at head 1 and 0.5
        launch("bench_decode[x]", (1.0, 2.0), (2.0, 2.0), **axes),
        launch("bench_decode[y]", (2.0, 2.0), (1.0, 1.0), **axes),
        launch("bench_experts[z]", (1.0, 1.0), (3.0, 3.0), num_tokens="16"),
    ]
    summary, _ = tables(comment(comparison_of(*fine, launches=launches)))
    assert summary[1:] == [
        ["decode", "tiny", "1", "128", "2", "1.00x", "0.71x", "-29.3 %"],
        ["experts", "tiny", "", "16", "1", "3.00x", "3.00x", "+0.0 %"],
    ]


def test_operations_that_changed_are_listed_and_a_profile_that_failed_says_why() -> None:
    changes = [OperationChange(operation="aten::mm", on="CPU", base_s=1e-3, head_s=3e-3)]
    changes += [OperationChange(operation=f"k{i}<T|U>", on="GPU", base_s=0.0, head_s=1e-6) for i in range(20)]
    profiles = [
        ScenarioProfile(scenario="a", arm="moe", changes=changes),
        ScenarioProfile(scenario="b", arm="dense", why="base: its worker died of SIGKILL"),
        ScenarioProfile(scenario="c", arm="moe"),
    ]
    text = comment(comparison_of(ScenarioVerdict(scenario="a", verdict=Verdict.REGRESSED), profiles=profiles))
    _, operations = tables(text)
    assert operations[1] == ["aten::mm", "CPU", "1.00 ms", "3.00 ms", "+2.00 ms"]
    assert operations[2] == ["k0<T|U>", "GPU", "not run", "1.00 µs", "+1.00 µs"]
    assert len(operations) == 1 + MOST_OPERATIONS
    assert "it could not be profiled, `base: its worker died of SIGKILL`" in text
    assert "no operation changed" in text


def test_a_comment_stays_under_githubs_limit_and_says_how_many_rows_it_left_out() -> None:
    many = [ScenarioVerdict(scenario=f"bench_{'x' * 90}{i}", verdict=Verdict.OK) for i in range(1_000)]
    text = comment(comparison_of(*many))
    (closed,) = tables(text)
    assert MOST_LETTERS - 500 < len(text) <= MOST_LETTERS
    assert "<summary>1,000 scenarios</summary>" in text
    assert f"_{1_000 - (len(closed) - 1)} rows left out, for GitHub takes no longer comment" in text
    assert text.count("<details>") == text.count("</details>") == 1


def test_of_rows_that_do_not_fit_the_least_severe_are_left_out() -> None:
    fine = [ScenarioVerdict(scenario=f"fine{i}", verdict=Verdict.OK) for i in range(3_000)]
    slow = [
        ScenarioVerdict(scenario=f"slow{i}", verdict=Verdict.REGRESSED, changes=(change("moe", i + 2.0, 0.5, 1.0),))
        for i in range(100)
    ]
    opened, closed = tables(comment(comparison_of(*fine, *slow)))
    names = [*column(opened, "scenario"), *column(closed, "scenario")]
    assert names[:100] == [f"slow{i}" for i in reversed(range(100))]
    assert 100 < len(names) < 3_000


def test_names_reasons_and_lists_of_any_size_fit() -> None:
    endless = comparison_that_names("n" * 100_000)
    assert len(comment(endless)) <= MOST_LETTERS
    text = comment(comparison_that_names("\x1b|" * 2_000, times=300))
    assert len(text) <= MOST_LETTERS
    assert text.count("<details>") == text.count("</details>")
    assert text.endswith("</sub>")


def test_means_are_folded_the_most_severe_first() -> None:
    groups = [ScenarioVerdict(scenario=f"fine at {i}", verdict=Verdict.OK) for i in range(300)]
    groups.append(ScenarioVerdict(scenario="slow at tiny", verdict=Verdict.REGRESSED))
    text = comment(comparison_of(judgement=Judgement(scenarios=[], groups=groups, evidence=None)))
    (means,) = (found for found in tables(text) if "mean over" in found[0])
    assert column(means, "mean over")[:2] == ["slow at tiny", "fine at 0"]
    assert f"_{301 - (len(means) - 1)} rows left out" in text
    assert "<summary>Means over scenarios</summary>" in text


def comparison_that_names(name: str, *, times: int = 1) -> Comparison:
    """Return a comparison that has a name wherever one can stand, in lists so many times as long as they need be."""
    axes = {"scale": name, "batch_size": name, "seq_len": name}
    measured = dataclasses.replace(launch(name, (1.0, 1.0), (1.0, 1.0)), params=axes, changed=name)
    slower = change("moe", 10.0, 1.5, 2.0)
    groups = [ScenarioVerdict(scenario=f"{name} at {name}", verdict=Verdict.REGRESSED, where=name, changes=(slower,))]
    profiles = [
        ScenarioProfile(scenario=name, arm=name, why=name),
        ScenarioProfile(
            scenario=name, arm="moe", changes=[OperationChange(operation=name, on=name, base_s=1.0, head_s=2.0)]
        ),
    ]
    said = ScenarioVerdict(scenario=name, verdict=Verdict.FAILED, why=name, where=name)
    return comparison_of(
        launches=[measured],
        judgement=Judgement(scenarios=[said] * (MOST_ROWS + 1) * times, groups=groups * times, evidence=None),
        profiles=profiles,
        software=f"torch {name}, Python",
        notes=[name] * times,
        accept_answers=name,
        machine=f"2 x {name}",
        load=(0.1, 0.2),
        command=f"python -m bench ab --scenarios {name}",
    )


def test_no_name_or_reason_is_more_than_text() -> None:
    plain = page_of(comment(comparison_that_names("NAME")))
    for name, said in HOSTILE.items():
        page = page_of(comment(comparison_that_names(name)))
        assert page.found == plain.found == ["a commit"], name  # those that are compared
        assert [one for one in page.elements if one != "code"] == [one for one in plain.elements if one != "code"], name
        shown, count = seen(said or name), plain.text.count("NAME")
        assert seen(page.text).count(shown) >= count - 1 > 40, name  # a benchmark's name ends at a bracket
