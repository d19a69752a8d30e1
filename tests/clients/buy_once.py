"""Makes one purchase through `hostile.py`: `python buy_once.py <hostile.py's address> <buy…> -- <look up…>`. `KEY` among
the arguments is the purchase's. The hostile facilitator is `$FACILITATOR_URL`, as `hostile-facilitator` starts it.

Whoever is not served asks what became of the payment, and goes on with it."""

import json
import os
import secrets
import subprocess
import sys
import urllib.request

ATTEMPTS = 4

address, *commands = sys.argv[1:]
key = "purchase-" + secrets.token_hex(8)
commands = [key if argument == "KEY" else argument for argument in commands]
middle = commands.index("--")
buy, look_up = commands[:middle], commands[middle + 1 :]

named = {"url": os.environ["FACILITATOR_URL"], "timeout": float(os.environ["HOSTILE_CLIENT_TIMEOUT"])}
urllib.request.urlopen(urllib.request.Request(address + "/hostile", json.dumps(named).encode()), timeout=10).close()
for _ in range(ATTEMPTS):
    if subprocess.run(buy, check=False).returncode == 0:
        sys.exit(0)
    subprocess.run(look_up, check=False)
sys.exit("not served")
