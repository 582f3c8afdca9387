"""The verdicts as JUnit XML, which CI systems show as tests: one test case a scenario, a regression is a failure.

pytest writes such files of its own tests alone and offers nothing public that writes them of anything else; the form
is theirs: testsuites, testsuite, testcase.
"""

import xml.etree.ElementTree as ET
from collections.abc import Iterable

from bench.gate.sentences import explain
from bench.gate.verdict import ScenarioVerdict, Verdict, closed, fails
from fixtures.programs.visible import visible, visible_lines

SUITE = "ab"
FAILURES = (Verdict.WRONG, Verdict.REGRESSED, Verdict.CHANGED, Verdict.INCONCLUSIVE)  # others that fail: error
SKIPPED = (Verdict.NEW, Verdict.INCONCLUSIVE)  # where they do not fail
COUNTS = {"testcase": "tests", "failure": "failures", "error": "errors", "skipped": "skipped"}


def junit(verdicts: Iterable[ScenarioVerdict], *, seconds: float, allow_inconclusive: bool = False) -> str:
    """Return the file's text; a case fails where its verdict fails, one of its own where nothing was compared."""
    suite = ET.Element("testsuite", name=SUITE, time=f"{seconds:.1f}")
    counts = dict.fromkeys(COUNTS, 0)
    for verdict in closed(verdicts, allow_inconclusive=allow_inconclusive):
        name = visible(verdict.scenario)
        case = ET.SubElement(suite, "testcase", classname=name.partition("[")[0], name=name)
        counts["testcase"] += 1
        if tag := _tag(verdict, allow_inconclusive=allow_inconclusive):
            counts[tag] += 1
            said = visible_lines(explain(verdict))  # what a worker printed may hold what no XML can
            ET.SubElement(case, tag, message=said, type=verdict.verdict.value).text = said
    for tag, name in COUNTS.items():
        suite.set(name, str(counts[tag]))
    root = ET.Element("testsuites")
    root.append(suite)
    ET.indent(root)
    return ET.tostring(root, encoding="unicode", xml_declaration=True) + "\n"


def _tag(verdict: ScenarioVerdict, *, allow_inconclusive: bool) -> str:
    """Return what a test case holds for a verdict; nothing where it passes."""
    if fails(verdict, allow_inconclusive=allow_inconclusive):
        return "failure" if verdict.verdict in FAILURES else "error"
    return "skipped" if verdict.verdict in SKIPPED else ""
