"""Probes a server through the command line and looks at what it is blamed for:
probe.py COMMAND URL [BINDING:FINDING; …]"""

import json
import subprocess
import sys

command, url, blamed = sys.argv[1:]
expected = [name.strip() for name in blamed.split(";") if name.strip()]
arguments = [command, "probe", url, "--json"]
done = subprocess.run(arguments, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
print(done.stdout, end="")
report = json.loads(done.stdout)

found = {"keeps": [], "breaks": [], "note": [], "not-applicable": [], "cannot-tell": []}
for examined in report["examined"]:
    for finding in examined["findings"]:
        found[finding["verdict"]].append(f"{examined['binding']}:{finding['name']}")

assert sorted(found["breaks"]) == sorted(expected), found["breaks"]
assert done.returncode == report["exit"] == (1 if expected else 0), done.returncode
assert not found["cannot-tell"], found["cannot-tell"]
assert found["keeps"], "nothing was found out"
