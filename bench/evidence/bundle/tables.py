"""Claims and what became of them, as markdown."""

from collections.abc import Iterable, Sequence

from bench.evidence.bundle.claims import Claim
from bench.evidence.bundle.reproduction import Reproduced
from bench.gate.markdown import markdown_table
from bench.gate.stats import percent
from bench.gate.verdict import Verdict
from bench.harness.wording import counted

TIMES = (".2f", "x")  # how a speed-up is written
CLAIM_HEADERS = ("scenario", "claim", "speed-up [95 %]", "launches", "verdict")
REPRODUCED_HEADERS = ("scenario", "against", "claimed [95 %]", "here [95 %]", "may be lower by", "verdict", "")
SAID = {Verdict.OK: "holds", Verdict.REGRESSED: "does not hold", Verdict.INCONCLUSIVE: "undecided here"}
PLURALS = {"holds": "hold", "does not hold": "do not hold"}  # after a number of claims


def claims_table(claims: Iterable[Claim]) -> str:
    """Lay claims out, a row each."""
    rows = [
        (claim.scenario, str(claim), claim.speedup.text(*TIMES), str(claim.num_launches), claim.verdict)
        for claim in claims
    ]
    return markdown_table(CLAIM_HEADERS, rows)


def reproduced_table(reproduced: Sequence[Reproduced]) -> str:
    """Lay out what was claimed and what was measured here, a row each; then one line that counts."""
    rows = [_row(one) for one in reproduced]
    counts = {said: sum(row[5] == said for row in rows) for said in dict.fromkeys(row[5] for row in rows)}
    line = ", ".join(f"{count} {PLURALS.get(said, said) if count != 1 else said}" for said, count in counts.items())
    return f"{markdown_table(REPRODUCED_HEADERS, rows)}\n\n{counted(len(rows), 'claim')}: {line}"


def _row(one: Reproduced) -> tuple[str, ...]:
    claim, said = one.claim, SAID.get(one.verdict, one.verdict.value)
    here = one.here.text(*TIMES) if one.here else ""
    # a time that may grow by t percent is a speed-up that may fall to 1 / (1 + t)
    lower = f"{-percent(-one.change.tolerance):.0f} %" if one.change else ""
    return (claim.scenario, claim.against, claim.speedup.text(*TIMES), here, lower, said, one.why)
