"""Answer one question from records: `python -m bench.grid.ask --scale 34b --batch-size 8 --workload mathvista-cot`.

How many times as fast is the MoE as a dense model, in requests/s, and how long do answers take? They are composed of
TTFT and TPOT over requests of drawn lengths; each of the two is measured, extrapolated or predicted, as it says.
"""

import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from bench.commands.clone import in_clone
from bench.grid.requests import requests_of
from bench.grid.work import BATCHES, DTYPE_BYTES, LENGTHS, cells_document, is_counted
from bench.harness.arms import PRIMARY, TWIN
from bench.harness.documents import content_of, document_of, parse_json
from bench.harness.forms import checked
from bench.harness.metrics import METRICS
from bench.harness.record import KEY, Record, load
from bench.harness.wording import counted, listed
from bench.pages.engine import percent, ratio, time
from bench.pages.results.cells import UNIFORM, CellsForm, Requests, work_of
from bench.pages.results.composed import WHOLE, Composed, checked_answers, composed
from bench.pages.results.gains import MOE, RIVAL, Gain, gains_of
from bench.pages.results.page import why_not_measured
from bench.pages.results.predicted import Predicted, predictions, typical_and_worst
from bench.pages.results.times import Lines, Place, at, lines_of
from fixtures.inputs import MIN_TEXT_TOKENS
from fixtures.options import NATURAL
from fixtures.programs.parsing import Parser
from fixtures.programs.program import run_program
from fixtures.programs.terminal import say
from fixtures.reading import at_least, one_of, routing_profile
from fixtures.workload import VISUAL_GRIDS, WORKLOADS
from moevlm.presets import PRESETS, VARIANTS, preset_config, preset_variants
from moevlm.routing.profiles import RoutingProfile

KEPT = "docs/records/*.json"
NOTHING = (
    "records must tell of prefill and decode of {scale} beside {against} under {routing} routing, {known}; name others"
)


class Asked(NamedTuple):
    """A question."""

    scale: str
    against: str
    routing: str
    batch_size: int
    seq_len: int | str  # prompt tokens, or NATURAL
    requests: Requests  # of that length


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the answer."""
    parser = Parser(prog="python -m bench.grid.ask", description="Answer one question from records.")
    add = parser.add_argument
    add("records", nargs="*", type=Path, metavar="RECORD", help=f"of pytest bench; default: {KEPT}")
    add("--scale", type=one_of(PRESETS), required=True, help=f"of {', '.join(PRESETS)}")
    add("--workload", type=one_of(WORKLOADS), required=True, help=f"of {', '.join(WORKLOADS)}")
    add("--visual", choices=VISUAL_GRIDS, default="fixed", help="visual scheme; default: %(default)s")
    add("--batch-size", type=at_least(1), default=1, metavar="N", help="requests in a batch; default: %(default)s")
    length = f"prompt tokens with image tokens; default: {NATURAL}, as the workload draws them"
    add("--seq-len", type=_length, default=NATURAL, metavar="N", help=length)
    add("--routing", type=routing_profile, default=UNIFORM, metavar="PROFILE", help="default: %(default)s")
    add("--against", type=one_of(VARIANTS), default=TWIN, metavar="ARM", help="a dense model; default: %(default)s")
    options = parser.parse_args(arguments)
    if options.against not in (known := [arm for arm in preset_variants(options.scale) if arm != PRIMARY]):
        parser.error(f"--against must be one of {', '.join(known)} at {options.scale}, got {options.against}")
    paths = options.records or sorted(in_clone(Path(KEPT)).parent.glob(Path(KEPT).name))
    records = [load(path) for path in paths if options.records or _is_record(path)]
    for line in answers(records, asked(options)):
        say(line)


def _length(text: str) -> int | str:
    return text if text == NATURAL else at_least(1)(text)


def _is_record(path: Path) -> bool:
    """Tell records from other documents that lie beside them."""
    with document_of(path, remedy="measure it again, or name the records"):
        document = parse_json(content_of(path))
    return isinstance(document, dict) and KEY in document


def asked(options: Any) -> Asked:
    """Draw the requests; at a fixed length they keep one image, as in scenarios.

    Raises:
        ValueError: The length has no room for the image and MIN_TEXT_TOKENS.
    """
    drawn = requests_of(
        options.scale, (PRIMARY, options.against), options.workload, options.visual, DTYPE_BYTES["bfloat16"]
    )
    if options.seq_len != NATURAL:
        image_tokens = preset_config(options.scale).image_seq_length
        if options.seq_len < image_tokens + MIN_TEXT_TOKENS:
            raise ValueError(
                f"--seq-len must be at least {image_tokens + MIN_TEXT_TOKENS}, {image_tokens} image tokens and "
                f"{MIN_TEXT_TOKENS} of text, got {options.seq_len}; raise it"
            )
        tiles = 1 if options.visual == "fixed" else None
        drawn["drawn"] = [[options.seq_len, tiles or one[1], one[2]] for one in drawn["drawn"]]
    requests = checked(drawn, Requests)
    return Asked(options.scale, options.against, options.routing, options.batch_size, options.seq_len, requests)


def answers(records: Sequence[Record], question: Asked) -> Iterator[str]:
    """Return the lines of the answer, of each machine that can give one.

    Raises:
        ValueError: None can.
    """
    found = gains_of(records).gains
    known = [gain for gain in found if (gain.scale, gain.against) == (question.scale, question.against)]
    lines = lines_of(found, _predicted(known, question, why_not_measured(records)))
    peaks = {gain.machine: gain.peaks for gain in found}
    told = [one for one in composed(lines, [question.requests], peaks) if _is_asked(one, question)]
    if not told:
        raise ValueError(_nothing(question, found))
    for one in told:
        yield from _said(one, lines)
    errors = [abs(one.speedup_error) for one in checked_answers(found, lines)]
    if check := typical_and_worst(errors):
        off = f"off by {percent(check[0])}, at most {percent(check[1])}"
        yield f"{counted(len(errors), 'answer')} measured whole: speed-ups composed so are {off}"


def _is_asked(one: Composed, question: Asked) -> bool:
    mine = (one.against, one.routing, one.batch_size)
    return mine == (question.against, question.routing, question.batch_size)


def _predicted(known: Sequence[Gain], question: Asked, why_not: Mapping[str, str]) -> list[Predicted]:
    """Predict what was not measured, at the very batch and length that is asked for."""
    profile = RoutingProfile.parse(question.routing)
    axes: dict[str, Any] = {
        "routings": dict.fromkeys([UNIFORM, *([question.routing] if is_counted(profile) else [])]),
        "batches": sorted({*BATCHES, question.batch_size}),
        "lengths": sorted({*LENGTHS, *([question.seq_len] if isinstance(question.seq_len, int) else [])}),
    }
    documents = [
        cells_document([question.scale], (PRIMARY, question.against), dtype, **axes)
        for dtype in dict.fromkeys(gain.dtype for gain in known)
    ]
    return predictions(known, work_of(checked(one, CellsForm) for one in documents).cells, why_not, lines=True)


def _said(one: Composed, lines: Lines) -> Iterator[str]:
    """Say what was found of one machine."""
    show, sides = METRICS["req_per_s"].display, {MOE: "MoE", RIVAL: one.against}
    yield f"{one.scale} beside {one.against} on {one.machine}: {one.workload}, {one.routing} routing"
    beyond = f", {one.num_beyond} left out: their lengths lie beyond what is known" if one.num_beyond else ""
    yield (
        f"composed of TTFT and TPOT, {counted(one.num_requests, 'request')} in batches of {one.batch_size}, "
        f"median {one.prompt_tokens:,.0f} tokens in and {one.output_tokens:,.0f} out{beyond}"
    )
    yield f"as fast as {one.against}: {ratio(one.speedup)} (95 % where measured; the greatest error where predicted)"
    yield f"requests/s: {show(one.req_per_s[MOE])}, {one.against} {show(one.req_per_s[RIVAL])}"
    for side, name in sides.items():
        first = f"TTFT p50 {time(one.ttft_p50_s[side])}, p95 {time(one.ttft_p95_s[side])}"
        yield f"{name}: {first}; end to end p50 {time(one.e2e_p50_s[side])}, p95 {time(one.e2e_p95_s[side])}"
    yield from _sources(one, lines)


def _sources(one: Composed, lines: Lines) -> Iterator[str]:
    """Say where both times of the median request come from."""
    place = Place(one.machine, one.scale, "prefill", one.routing, one.against, one.batch_size)
    if first := at(lines[place], one.prompt_tokens):
        yield f"TTFT is {one.ttft}: {first.source}"
    later = at(lines.get(place._replace(phase="decode"), ()), one.prompt_tokens + one.output_tokens / 2)
    if later and one.output_tokens > 1:
        tpot = listed(f"{name} {time(later.seconds[side])}" for side, name in ((MOE, "MoE"), (RIVAL, one.against)))
        yield f"TPOT is {one.tpot}: {later.source}; {tpot}"


def _nothing(question: Asked, found: Sequence[Gain]) -> str:
    """Say what records tell of, where it is not what was asked."""
    there = sorted({f"{gain.scale} {gain.phase} beside {gain.against}" for gain in found if gain.phase != WHOLE})
    known = f"got {', '.join(there)}" if there else "got none"
    return NOTHING.format(scale=question.scale, against=question.against, routing=question.routing, known=known)


if __name__ == "__main__":
    sys.exit(run_program(main))
