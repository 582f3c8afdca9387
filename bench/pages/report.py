"""What people read of a run: on the terminal, and as markdown beside the record. Judges nothing."""

import shlex
from collections.abc import Mapping, Sequence

from rich.console import Console
from rich.text import Text

from bench.gate.conclude import Outcome
from bench.gate.headline import headline, tell
from bench.gate.markdown import escape, markdown_table
from bench.gate.sentences import explanations, summary
from bench.gate.verdict import ScenarioVerdict, Verdict
from bench.harness.arms import PRIMARY
from bench.harness.environment import software
from bench.harness.metrics import metric
from bench.harness.naming import COMMANDS
from bench.harness.record import Record
from bench.harness.run import Finished
from bench.harness.wording import counted, span
from bench.harness.writing import replace_text
from bench.pages.extrapolate import EXTRAPOLATION_HEADERS, extrapolation_rows, extrapolations
from bench.pages.rows import HEADERS, PARTS, Row, arm_rows, group_rows, has_parts, rows_of
from bench.pages.terminal import report_lines, table_lines
from fixtures.programs.errors import RecordWriteError
from fixtures.programs.visible import visible, visible_lines

LEGEND = {  # by the column that it is of
    "other / MoE [95 %]": (
        "other / MoE: the other arm's value over MoE's (above 1 the MoE is better), median over blocks with its 95 % "
        "interval within this launch, without one of what is counted; of an accuracy, which is that of its questions, "
        "the other arm's less MoE's in points (below 0 the MoE is better), paired by question, intervals over pictures"
    ),
    "MFU": "MFU, MBU: MoE / other arm, against matmul and read peaks measured in this run",
    "floor": (
        "floor: MoE / other arm, the least time that these peaks allow, as a share of the time measured: the sum over "
        "the model's parts (work recorded without parts counts as one) of the larger of computing and moving time "
        "(MBU and floor above 100 %: the data lay in a cache, or copies had to stand for reads, as in older records)"
    ),
    "change [tolerance]": (
        "change: of the control that moved most, against the baseline, above 0 is worse (of an accuracy, in points: "
        "below)"
    ),
}
EXPLAINED = "what the columns are: --legend"


def write_reports(
    console: Console,
    run: Finished,
    outcome: Outcome,
    verdicts: Mapping[str, ScenarioVerdict],
    seconds: float,
    *,
    legend: bool,
    typed: Sequence[str],
) -> None:
    """Print the table, the reasons and the summary line; write the same as markdown beside the record.

    Args:
        legend: say what the columns are; the markdown always does.
        typed: the command line, whose options the next step has too.
    """
    record, parts = run.record, run.options.parts
    rows = [*rows_of(record, verdicts, parts=parts), *group_rows(outcome.groups)]
    deep = extrapolation_rows(extrapolations(record))
    hidden = [PARTS] if has_parts(record) and not parts else []
    notes = [*hidden, *does_not_fit(record), *explanations([*verdicts.values(), *outcome.groups])]
    spent = {name: record.launch.get(name, 0.0) for name in ("check_s", "timed_s")}
    line = summary(outcome.verdicts, num_measured=len(record.scenarios), seconds=seconds, **spent)
    said = [f"{outcome.run_verdict.value}: {outcome.why}"] if outcome.run_verdict else []
    head = headline(tell(outcome.groups, outcome.verdicts))
    if rows:
        _print(console, visible(machine_line(record)))
        _print(console, *report_lines(rows, arm_rows(record, parts=parts), console.width))
    if deep:
        _print(console, *table_lines(EXTRAPOLATION_HEADERS, deep, console.width))
    explained = [legend_of(rows) if legend else EXPLAINED] if rows else []
    texts = (*explained, *notes, *said, *kept(run, said), *filter(None, (head, line, next_step(run, outcome, typed))))
    _print(console, *map(visible_lines, texts))
    tables = [escape(machine_line(record)), markdown_table(HEADERS, [row.cells() for row in rows])]
    tables += [markdown_table(EXTRAPOLATION_HEADERS, deep)] if deep else []
    listed = "\n".join(f"- {escape(note)}" for note in [*notes, *said])
    sections = [
        f"**{escape(head)}**" if head else "",
        f"**{escape(line)}**",
        *tables,
        listed,
        f"<sub>{values_legend(record)}{legend_of(rows)}</sub>",
    ]
    try:
        replace_text(run.record_path.with_suffix(".md"), "\n\n".join(filter(None, sections)) + "\n")
    except RecordWriteError as error:
        _print(console, visible_lines(str(error)))


def _print(console: Console, *lines: Text | str) -> None:
    """Print lines; a terminal wraps what is too long between words, a log has it whole."""
    for line in lines:
        console.print(line if isinstance(line, Text) else Text(line), soft_wrap=not console.is_terminal)


def legend_of(rows: Sequence[Row]) -> str:
    """Say what the columns are that hold something."""
    columns = zip(HEADERS, zip(*(row.cells() for row in rows), strict=True), strict=True) if rows else ()
    return "; ".join(LEGEND[header] for header, cells in columns if header in LEGEND and any(cells))


def next_step(run: Finished, outcome: Outcome, typed: Sequence[str]) -> str:
    """Say what to type next where there is nothing to compare with what was measured; empty else."""
    if outcome.run_verdict is not Verdict.MISSING or run.options.baseline or not run.record.scenarios:
        return ""
    named = {argument.partition("=")[0] for argument in typed}
    options = shlex.join(option for option in run.setup["launch_options"] if option.partition("=")[0] in named)
    passed = f" -- {options}" if options else ""
    return (
        f'next: {COMMANDS} baseline --reason "first of this machine"{passed}  keeps what this machine can do today;\n'
        f"      {COMMANDS} ab --base main{passed}  compares the working tree with main now"
    )


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
