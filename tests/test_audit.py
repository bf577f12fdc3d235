"""`.ci/audit.py`: a vulnerability fails, a service that cannot be asked does not, and both are said."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[1] / ".ci" / "audit.py"
pytestmark = pytest.mark.skipif(not SCRIPT.exists(), reason="only with the sources")

GOOD = '{"name": "good", "version": "1", "vulns": []}'
BAD = '{"name": "bad", "version": "2", "vulns": [{"id": "PYSEC-1", "fix_versions": ["3"]}]}'
UNKNOWN = '{"name": "unknown", "skip_reason": "not found"}'


def audited(tmp_path, written, status, said="", seconds=60):
    """The status and the words for a pip-audit that writes this report and ends so; None: it hangs."""
    spec = importlib.util.spec_from_file_location("audit", SCRIPT)
    audit = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(audit)
    fake = tmp_path / "fake.py"
    report = "" if written is None else f"open(sys.argv[-1], 'w').write({written!r})"
    end = "time.sleep(60)" if status is None else f"sys.exit({status})"
    fake.write_text(f"import sys, time\n{report}\nprint({said!r}, file=sys.stderr)\n{end}\n", encoding="utf-8")
    return audit.audit([sys.executable, str(fake)], seconds)


@pytest.mark.parametrize(
    ("packages", "status", "expected", "words"),
    [
        ([GOOD], 0, 0, ["no known vulnerabilities in 1 packages"]),
        ([GOOD, BAD, UNKNOWN], 1, 1, ["VULNERABLE: bad 2: PYSEC-1; mended in: 3", "NOT AUDITED", "unknown"]),
        ([UNKNOWN], 0, 0, ["in 0 packages", "NOT AUDITED", "unknown"]),
        (None, 1, 0, ["NOT AUDITED", "could not be asked", "ConnectionError"]),
        (None, None, 0, ["NOT AUDITED", "no answer"]),
    ],
)
def test_only_a_vulnerability_fails(packages, status, expected, words, tmp_path, capsys):
    report = None if packages is None else f'{{"dependencies": [{", ".join(packages)}]}}'
    assert audited(tmp_path, report, status, "ConnectionError", 0.3 if status is None else 60) == expected
    said = capsys.readouterr().out
    for each in words:
        assert each in said
