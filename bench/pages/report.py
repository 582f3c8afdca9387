"""A record with its verdicts as a table for people: on the terminal (rich) and as markdown. Judges nothing."""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from rich.console import Console
from rich.table import Column, Table
from rich.text import Text

from bench.gate.conclude import Outcome
from bench.gate.groups import SUITE
from bench.gate.headline import headline, tell
from bench.gate.markdown import escape, markdown_table
from bench.gate.sentences import explanations, summary
from bench.gate.shares import LEAD, LEVEL, interval_of, is_share
from bench.gate.stats import Interval, block_log_ratios, median_interval
from bench.gate.telling import bound, moved
from bench.gate.verdict import SEVERITY, Change, ScenarioVerdict, Verdict
from bench.harness.arms import ANCHOR, PRIMARY
from bench.harness.environment import software
from bench.harness.memory import BUILT
from bench.harness.metrics import metric
from bench.harness.peaks import MATMUL, Cost, floor_s, moving_byte_per_s
from bench.harness.record import ArmSeries, Record, Scenario
from bench.harness.run import Finished
from bench.harness.wording import counted, span
from bench.harness.writing import replace_text
from bench.pages.engine import percent, ratio
from bench.pages.extrapolate import EXTRAPOLATION_HEADERS, extrapolation_rows, extrapolations
from bench.pages.slices import median_sample
from fixtures.programs.errors import RecordWriteError
from fixtures.programs.visible import visible, visible_lines

HEADERS = (
    *("scenario", "MoE", "other arm", "its value", "other / MoE [95 %]", "MFU", "MBU", "floor"),
    *("change [tolerance]", "verdict"),
)
LEGEND = (
    "other / MoE: the other arm's value over MoE's (above 1 the MoE is better), median over blocks with its 95 % "
    "interval within this launch, without one of what is counted; of an accuracy, which is that of its questions, the "
    "other arm's less MoE's in points (below 0 the MoE is better), paired by question, intervals over pictures; "
    "MFU, MBU: MoE / other arm, against matmul and read peaks measured in this run; "
    "floor: MoE / other arm, the least time that these peaks allow, as a share of the time measured: the sum over the "
    "model's parts (work recorded without parts counts as one) of the larger of computing and moving time "
    "(MBU and floor above 100 %: the data lay in a cache, or copies had to stand for reads, as in older records); "
    "change: of the control that moved most, against the baseline, above 0 is worse (of an accuracy, in points: below)."
)
SAME_BYTES = 1e-3  # share by which counts may differ that look alike
STYLES = {
    Verdict.OK: "green",
    Verdict.IDENTICAL: "green",
    Verdict.IMPROVED: "bold green",
    Verdict.REGRESSED: "bold red",
    Verdict.WRONG: "bold red",
    Verdict.CORRUPT: "bold red",
    Verdict.FAILED: "bold red",
    Verdict.CHANGED: "bold red",
    Verdict.MISSING: "red",
    Verdict.NOT_COMPARABLE: "red",
    Verdict.UNFIT: "yellow",
    Verdict.INCONCLUSIVE: "yellow",
    Verdict.NEW: "cyan",
}


@dataclass(frozen=True, kw_only=True)
class Row:
    """One line of the table: the MoE arm against one other arm of a scenario."""

    scenario: str
    moe: str = ""
    against: str = ""
    other: str = ""
    speedup: str = ""
    mfu: str = ""
    mbu: str = ""
    floor: str = ""
    change: str = ""
    verdict: Verdict | None = None

    def cells(self) -> tuple[str, ...]:
        """Return the cells in the order of HEADERS."""
        said = self.verdict.value if self.verdict else ""
        return (
            *(self.scenario, self.moe, self.against, self.other, self.speedup),
            *(self.mfu, self.mbu, self.floor, self.change, said),
        )


def rows_of(record: Record, verdicts: Mapping[str, ScenarioVerdict]) -> list[Row]:
    """Turn the last launch of each scenario into rows, in the order of measurement; wrong answers stand last."""
    rows: list[Row] = []
    for scenario_id, scenario in record.scenarios.items():
        others = [arm for arm in scenario.arms if arm not in (PRIMARY, ANCHOR)] or [PRIMARY]
        for index, other in enumerate(others):
            verdict = verdicts.get(scenario_id) if index == 0 else None
            rows.append(_row(scenario, other, record.peaks, verdict, first=index == 0))
    return [*rows, *(Row(scenario=name, verdict=Verdict.WRONG) for name in record.wrong)]


def group_rows(groups: Iterable[ScenarioVerdict]) -> list[Row]:
    """Turn verdicts on groups into rows: what moved or is not decided, and the suite."""
    return [
        Row(scenario=f"all of {group.scenario}", change=_change(group.changes), verdict=group.verdict)
        for group in groups
        if group.verdict is not Verdict.OK or group.scenario == SUITE
    ]


def _row(
    scenario: Scenario, other: str, peaks: Mapping[str, float], verdict: ScenarioVerdict | None, *, first: bool
) -> Row:
    moe, against = scenario.arms[PRIMARY], scenario.arms[other]
    alone = other == PRIMARY
    arms = [moe] if alone else [moe, against]
    return Row(
        scenario=scenario.id if first else "",
        moe=_value(moe) if first else "",
        against="" if alone else other,
        other="" if alone else _value(against),
        speedup="" if alone else _speedup(moe, against),
        mfu=_shares(arms, _alone("flops", peaks.get(MATMUL))),
        mbu=_shares(arms, _alone("bytes", moving_byte_per_s(peaks))),
        floor=_shares(arms, lambda cost: floor_s(cost, peaks)),
        change=_change(verdict.changes) if verdict else "",
        verdict=verdict.verdict if verdict else None,
    )


def _value(series: ArmSeries) -> str:
    """Show the sample, the interval of a share, the bytes of a build that are others, the first throughput it gives."""
    value, show = median_sample(series), metric(series.metric).display
    if is_share(series.metric) and (level := interval_of(series.facts, LEVEL, series.arm)):
        return percent(level)
    rates = [metric(name).display(quantity / value) for name, quantity in series.rates.items()]
    built = series.facts.get(BUILT.format(arm=series.arm), value)
    before = [] if math.isclose(built, value, rel_tol=SAME_BYTES) else [f"{show(built)} built"]
    return " · ".join([show(value), *before, *rates[:1]])


def _speedup(moe: ArmSeries, other: ArmSeries) -> str:
    """Show the ratio with the interval of its blocks, of what is counted alone; of shares the difference in points."""
    if is_share(moe.metric):
        lead = interval_of(other.facts, LEAD, other.arm) or median_sample(other) - median_sample(moe)
        return percent(lead, "+z.1f", " points")
    ratios = block_log_ratios(other.launches[-1].samples, moe.launches[-1].samples)
    found = Interval(*map(math.exp, median_interval(ratios)))
    return ratio(found) if moe.anchor else ratio(found.estimate)


def _shares(arms: Iterable[ArmSeries], least_s: Callable[[Cost], float | None]) -> str:
    """Show in percent which share of the measured time some least time is, for each arm that has one."""
    shares = [
        f"{100 * least / median_sample(arm):.0f}"
        for arm in arms
        if arm.cost is not None and (least := least_s(arm.cost)) is not None
    ]
    return f"{' / '.join(shares)} %" if shares else ""


def _alone(unit: str, peak: float | None) -> Callable[[Cost], float | None]:
    """Return what takes a cost to the least time of one unit of it."""
    return lambda cost: cost[unit] / peak if peak else None


def _change(changes: Sequence[Change]) -> str:
    if not changes:
        return ""
    worst = max(changes, key=lambda c: (SEVERITY[c.verdict], c.interval.estimate / c.tolerance))
    return f"{worst.control} {moved(worst, with_interval=False)} [{bound(worst, '.0f')}]"


def write_reports(
    console: Console, run: Finished, outcome: Outcome, verdicts: Mapping[str, ScenarioVerdict], seconds: float
) -> None:
    """Print the table, the reasons and the summary line; write the same as markdown beside the record."""
    record = run.record
    rows = [*rows_of(record, verdicts), *group_rows(outcome.groups)]
    deep = extrapolation_rows(extrapolations(record))
    notes = [*does_not_fit(record), *explanations([*verdicts.values(), *outcome.groups])]
    spent = {name: record.launch.get(name, 0.0) for name in ("check_s", "timed_s")}
    line = summary(outcome.verdicts, num_measured=len(record.scenarios), seconds=seconds, **spent)
    said = [f"{outcome.run_verdict.value}: {outcome.why}"] if outcome.run_verdict else []
    head = headline(tell(outcome.groups))
    if rows:
        console.print(visible(machine_line(record)), highlight=False, markup=False, soft_wrap=True)
        console.print(terminal_table(rows))
    if deep:
        console.print(plain_table(EXTRAPOLATION_HEADERS, deep))
    for text in (*([LEGEND] if rows else []), *notes, *said, *kept(run, said), *filter(None, (head, line))):
        console.print(visible_lines(text), highlight=False, markup=False, soft_wrap=True)
    tables = [escape(machine_line(record)), markdown_table(HEADERS, [row.cells() for row in rows])]
    tables += [markdown_table(EXTRAPOLATION_HEADERS, deep)] if deep else []
    listed = "\n".join(f"- {escape(note)}" for note in [*notes, *said])
    sections = [
        f"**{escape(head)}**" if head else "",
        f"**{escape(line)}**",
        *tables,
        listed,
        f"<sub>{values_legend(record)}{LEGEND}</sub>",
    ]
    try:
        replace_text(run.record_path.with_suffix(".md"), "\n\n".join(filter(None, sections)) + "\n")
    except RecordWriteError as error:
        console.print(visible_lines(str(error)), highlight=False, markup=False, soft_wrap=True)


def kept(run: Finished, said: Sequence[str]) -> list[str]:
    """Say where the record lies, or that none does unless that was said."""
    if not run.write_error:
        return [f"record: {run.record_path}"]
    return [] if any(str(run.write_error) in text for text in said) else [f"no record: {run.write_error}"]


def values_legend(record: Record) -> str:
    """Say what each benchmark's values are and how they are computed."""
    measured = {(name.partition("[")[0], one.arms[PRIMARY].metric) for name, one in record.scenarios.items()}
    said = [f"{escape(name)}: {metric(value).label}, {metric(value).formula}; " for name, value in sorted(measured)]
    return "".join(said)


def does_not_fit(record: Record) -> list[str]:
    """Say which scenarios were not measured because memory is short, and by how much."""
    return [f"{scenario}: not measured, {why}" for scenario, why in record.why_not_fitting().items()]


def machine_line(record: Record) -> str:
    """Name what a record's figures were measured with: software, number format, threads, device and its peaks."""
    measured = f"; measured peaks: {peaks_line([record])}" if record.peaks else ""
    return machine(record) + measured


def machine(record: Record) -> str:
    """Name software, number format, threads and device."""
    kind = record.kind
    ran = software(record.fingerprint, str(kind["device"]))
    threads = counted(kind["num_threads"], "thread")
    return f"{ran}, {kind['dtype']}, {threads}, {kind['device_count']} x {kind['device_model']}"


def peaks_line(records: Sequence[Record]) -> str:
    """Name the peaks that runs measured, the least and the greatest of each."""
    names = dict.fromkeys(name for record in records for name in record.peaks)
    values = {name: [record.peaks[name] / 1e9 for record in records if name in record.peaks] for name in names}
    return ", ".join(f"{name.split('_')[0]} {span(values[name], ',.0f')} G{name.split('_')[1]}/s" for name in values)


def plain_table(headers: Sequence[str], rows: Iterable[Sequence[str]]) -> Table:
    """Lay rows out for a terminal."""
    table = Table(*map(_column, headers), box=None, header_style="bold", pad_edge=False)
    for row in rows:
        table.add_row(*(Text(visible(cell)) for cell in row))
    return table


def _column(header: str) -> Column:
    """Head a column with a text whose brackets are no markup; ids are never cut, on a narrow terminal figures wrap."""
    return Column(header=Text(header), no_wrap=header == HEADERS[0], overflow="fold")


def terminal_table(rows: Iterable[Row]) -> Table:
    """Lay the rows out for a terminal."""
    table = Table(*map(_column, HEADERS), box=None, header_style="bold", pad_edge=False, collapse_padding=True)
    for row in rows:
        *cells, said = row.cells()
        table.add_row(
            *(Text(visible(cell)) for cell in cells), Text(said, style=STYLES[row.verdict] if row.verdict else "")
        )
    return table
