"""Runs commands one after another, each in a process of its own, and tells how each ended.

``python looked.py``: standard input is a JSON list of command lines, standard output a JSON list of
``[exit code, what it printed]``. What they need is
imported once: that takes longer than what they do.
"""

import json
import os
import sys
import tempfile

from fhirstack.cli import main
from fhirstack.planes.hosts.program import program


def ran(words: list[str]) -> tuple[int, str]:
    with tempfile.TemporaryFile("w+", errors="replace") as said:
        child = os.fork()
        if not child:
            code = 70
            try:
                os.dup2(said.fileno(), 1)
                os.dup2(said.fileno(), 2)
                sys.argv = ["fhirstack", *words]
                main.main()
                code = 0
            except SystemExit as end:
                code = int(end.code or 0)
            finally:
                sys.stdout.flush()
                os._exit(code)
        _, status = os.waitpid(child, 0)
        said.seek(0)
        return os.waitstatus_to_exitcode(status), said.read()


if __name__ == "__main__":
    asked = json.load(sys.stdin)
    for words in asked:
        main.application(words)
    program()
    print(json.dumps([ran(words) for words in asked]))
