"""Ask for known vulnerabilities of what is installed: `python .ci/audit.py PIP_AUDIT`.

pip-audit ends in 1 both for a vulnerability and for a service that it could not ask, and in 0 where the service knew
none of the packages. Here a vulnerability fails; what could not be asked is said, and does not fail.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path


def audit(command: list[str], seconds: float = 300) -> int:
    """Run pip-audit, say what came of it, and return the exit status."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder, "report.json")
        options = ["--local", "--skip-editable", "--progress-spinner", "off", "--format", "json", "--output", report]
        try:
            pipe, both = subprocess.PIPE, subprocess.STDOUT
            run = subprocess.run([*command, *options], stdout=pipe, stderr=both, timeout=seconds)
            said = run.stdout.decode(errors="replace").strip()
        except subprocess.TimeoutExpired:
            said = f"no answer within {seconds:g} s"
        text = report.read_text(encoding="utf-8") if report.exists() else ""
    if not text.strip():
        print(f"NOT AUDITED: the service that knows of vulnerabilities could not be asked:\n{said[-600:]}")
        return 0
    packages = json.loads(text)["dependencies"]
    asked = [each for each in packages if "skip_reason" not in each]
    found = [(each, one) for each in asked for one in each["vulns"]]
    for each, one in found:
        fixed = ", ".join(one["fix_versions"]) or "none yet"
        print(f"VULNERABLE: {each['name']} {each['version']}: {one['id']}; mended in: {fixed}")
    if not found:
        print(f"no known vulnerabilities in {len(asked)} packages")
    if len(asked) < len(packages):
        names = ", ".join(each["name"] for each in packages if "skip_reason" in each)
        print(f"NOT AUDITED, for the service does not know them: {names}")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(audit(sys.argv[1:]))
