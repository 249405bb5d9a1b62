"""All commands: each in its module, and imported alone."""

import subprocess
import sys

import pytest
import typer

from fhirstack.cli.main import COMMANDS, application


def names(app):
    command = typer.main.get_command(app)
    return set(command.commands)


def test_without_a_command_all_are_there():
    assert names(application()) == {name for some in COMMANDS.values() for name in some}
    assert names(application(["--help"])) == names(application())


@pytest.mark.parametrize("module", COMMANDS)
def test_a_module_has_the_commands_of_its_line(module):
    for name in COMMANDS[module]:
        assert names(application([name])) == set(COMMANDS[module])


@pytest.mark.parametrize("word", ["drift", "plan", "check"])
def test_a_look_at_hosts_imports_nothing_of_the_stack_on_this_machine(word):
    script = (
        f"import sys; sys.path[:0] = {sys.path}; from fhirstack.cli.main import application;"
        f"application(['{word}']);"
        "sys.exit(' '.join(m for m in ('psycopg', 'playwright', 'supervisor', 'fhirstack.demo')"
        " if m in sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False
    )
    assert done.stderr.strip() == ""
