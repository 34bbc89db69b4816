import xml.etree.ElementTree as ET

from edgedigits.reporting.junit import Case, to_junit


def test_what_failed_is_counted_and_told() -> None:
    cases = [Case("a", None, ("tied",)), Case("b -> <c>", "more\nthan & \x1b 0.2", ("x", "y"))]
    content = to_junit("edgedigits diff", cases)
    assert content.startswith(b"<?xml")
    root = ET.fromstring(content)  # noqa: S314 - ours
    (suite,) = root
    assert (suite.get("tests"), suite.get("failures"), suite.get("name")) == ("2", "1", "edgedigits diff")
    passed, failed = suite.findall("testcase")
    assert passed.find("failure") is None
    assert passed.findtext("system-out") == "tied"
    failure = failed.find("failure")
    assert failure is not None
    # A control character is nothing that XML can hold: it is escaped before.
    assert failure.get("message") == failure.text == r"more than & \x1b 0.2"
    assert failed.get("name") == "b -> <c>"
    assert failed.get("classname") == "edgedigits.diff"
    assert to_junit("edgedigits diff", cases) == content
