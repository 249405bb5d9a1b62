"""The hosts for pyinfra: the desired state of each, as bench/hosts_convert.py wrote it."""

import json
import os
from pathlib import Path

_DATA = Path(os.environ["BENCH_HOSTS"])

hosts = [
    (name, {**data, "ssh_config_file": str(_DATA / "paramiko_config")})
    for name, data in json.loads((_DATA / "desired.json").read_text()).items()
]
