"""The verdicts as JUnit XML, which CI systems show as tests: one test case a scenario, a regression is a failure.

pytest writes such files of its own tests alone and offers nothing public that writes them of anything else; the form
is theirs: testsuites, testsuite, testcase.
"""

import re
import xml.etree.ElementTree as ET
from collections.abc import Iterable

from bench.gate.sentences import explain
from bench.gate.verdict import EXIT_CODES, ScenarioVerdict, Verdict

SUITE = "ab"
TAGS = {
    Verdict.WRONG: "failure",
    Verdict.REGRESSED: "failure",
    Verdict.CHANGED: "failure",
    Verdict.INCONCLUSIVE: "skipped",
    Verdict.NEW: "skipped",
}  # others that fail: error
COUNTS = {"testcase": "tests", "failure": "failures", "error": "errors", "skipped": "skipped"}
FORBIDDEN = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")  # no XML 1.0 file may hold them


def junit(verdicts: Iterable[ScenarioVerdict], *, seconds: float, strict: bool) -> str:
    """Return the file's text; under `strict` INCONCLUSIVE is a failure too, as it then is for the exit code."""
    suite = ET.Element("testsuite", name=SUITE, time=f"{seconds:.1f}")
    counts = dict.fromkeys(COUNTS, 0)
    for verdict in verdicts:
        function = verdict.scenario.partition("[")[0]
        case = ET.SubElement(suite, "testcase", classname=_allowed(function), name=_allowed(verdict.scenario))
        counts["testcase"] += 1
        if tag := _tag(verdict.verdict, strict=strict):
            counts[tag] += 1
            said = _allowed(explain(verdict))
            ET.SubElement(case, tag, message=said, type=verdict.verdict.value).text = said
    for tag, name in COUNTS.items():
        suite.set(name, str(counts[tag]))
    root = ET.Element("testsuites")
    root.append(suite)
    ET.indent(root)
    return ET.tostring(root, encoding="unicode", xml_declaration=True) + "\n"


def _tag(verdict: Verdict, *, strict: bool) -> str:
    """Return what a test case holds for a verdict; nothing where it passes."""
    if strict and verdict is Verdict.INCONCLUSIVE:
        return "failure"
    return TAGS.get(verdict, "error" if EXIT_CODES[verdict] else "")


def _allowed(text: str) -> str:
    r"""Write out characters that XML cannot hold: what a worker printed may colour its words.

    >>> _allowed("\x1b[31m")
    '#x1B[31m'
    """
    return FORBIDDEN.sub(lambda found: f"#x{ord(found.group()):02X}", text)
