"""Results as JUnit's XML, which CI servers show as tests: one test case for each file that was compared.

Reference: the schema of the Apache Ant JUnit task, of which readers take ``testsuite``, ``testcase`` and ``failure``.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from edgedigits.printable import one_line


@dataclass(frozen=True)
class Case:
    """One test case."""

    name: str
    failure: str | None
    """Why it failed; None where it passed."""
    output: tuple[str, ...]
    """What else is to be read of it, in lines."""


def to_junit(suite: str, cases: Sequence[Case]) -> bytes:
    """Write test cases as an XML file.

    Args:
        suite: what they are called together.
        cases: one or more.

    Returns:
        UTF-8, with a declaration. The same cases are the same bytes: there is no time in it.
    """
    failed = sum(case.failure is not None for case in cases)
    root = Element("testsuites")
    group = SubElement(
        root, "testsuite", name=suite, tests=f"{len(cases)}", failures=f"{failed}", errors="0", skipped="0"
    )
    for case in cases:
        entry = SubElement(group, "testcase", classname=suite.replace(" ", "."), name=one_line(case.name))
        if case.failure is not None:
            message = one_line(case.failure)
            SubElement(entry, "failure", message=message, type="accuracy").text = message
        SubElement(entry, "system-out").text = "\n".join(map(one_line, case.output))
    indent(root)
    content: bytes = tostring(root, encoding="utf-8", xml_declaration=True)
    return content + b"\n"
