"""Commands that are handed over to a warm process behave as those that run by themselves, and never run twice."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import psutil
import pytest

from dagster_project.settings import PROJECT_ROOT
from dagster_project.warm.messages import SOCKET
from tests.waiting import until
from tests.warm_server import OUTDATED, PROGRAM

# As the script does it: the exit code of the warm process, or a sign that the command would go on by itself.
_CLIENT = """
import os, sys
from pathlib import Path
from dagster_project.warm.client import handed_over
code = handed_over(Path(sys.argv[1]), sys.argv[2], ["python", sys.argv[3], *sys.argv[4:]], os.environ)
print("by itself") if code is None else sys.exit(code)
"""


class Home:
    """A home with a warm process, and those who use it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._stack = ExitStack()
        self.server = self._started(["-m", "tests.warm_server", str(path)], PROJECT_ROOT, os.environ)
        until((path / SOCKET).exists)

    def begins(self, code: str, *arguments: str, program: str = PROGRAM, folder: Path = PROJECT_ROOT, **environment: str) -> Any:  # noqa: ANN401
        """Start a client that asks for code to be run."""
        variables = {**os.environ, "PYTHONPATH": str(PROJECT_ROOT), **environment}
        return self._started(["-c", _CLIENT, str(self.path), program, code, *arguments], folder, variables)

    def runs(self, code: str, *arguments: str, stdin: str = "", **options: Any) -> tuple[int, str, str]:  # noqa: ANN401
        """Exit code and output of a client."""
        client = self.begins(code, *arguments, **options)
        out, err = client.communicate(stdin, timeout=60)
        return client.returncode, out, err

    def ends(self) -> str:
        """What the warm process says at its end."""
        return str(self.server.communicate(timeout=60)[0])

    def close(self) -> None:
        """End all of it."""
        self._stack.close()

    def _started(self, arguments: list[str], folder: Path, variables: Any) -> subprocess.Popen[str]:  # noqa: ANN401
        process = subprocess.Popen(
            [sys.executable, *arguments],
            cwd=folder,
            env={**variables, "PYTHONPATH": str(PROJECT_ROOT)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        self._stack.enter_context(process)
        self._stack.callback(process.kill)
        return process


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    path = tmp_path / "home"
    path.mkdir(mode=0o700)
    home = Home(path)
    yield home
    home.close()


def says(process: subprocess.Popen[str]) -> str:
    """The next line."""
    assert process.stdout is not None
    return process.stdout.readline().strip()


def test_command_has_everything_of_its_client(home: Home, tmp_path: Path) -> None:
    code = """
import json, os, random, sys
mask = os.umask(0)
print(json.dumps([sys.argv[2:], os.getcwd(), os.environ["GIVEN"], mask, sys.stdin.read(), os.getpgid(0) == os.getpid(), os.getppid()]))
print("told", file=sys.stderr)
"""
    before = os.umask(0o027)
    code_of_exit, out, err = home.runs(code, "ä", "b c", stdin="asked", folder=tmp_path, GIVEN="ü\udcff")
    os.umask(before)
    assert (code_of_exit, err) == (0, "told\n")
    assert json.loads(out) == [["ä", "b c"], str(tmp_path), "ü\udcff", 0o027, "asked", True, home.server.pid]


def test_exit_codes_are_those_of_python(home: Home) -> None:
    ends = ["pass", "raise SystemExit(7)", "raise SystemExit('why')", "1 / 0", "import os; os.kill(os.getpid(), 9)"]
    assert [home.runs(code)[0] for code in ends] == [0, 7, 1, 1, 128 + signal.SIGKILL]
    assert "ZeroDivisionError" in home.runs("1 / 0")[2]
    assert home.runs("raise SystemExit('why')")[2] == "why\n"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_signals_reach_the_command(home: Home, number: signal.Signals) -> None:
    code = f"""
import signal, sys
signal.signal({int(number)}, lambda *_: sys.exit(42))
print("ready", flush=True)
signal.pause()
"""
    client = home.begins(code)
    assert says(client) == "ready"
    client.send_signal(number)
    assert client.wait(60) == 42
    assert home.runs("print(1)")[:2] == (0, "1\n")


def test_signal_that_nothing_handles_ends_the_command(home: Home) -> None:
    client = home.begins("import signal; print('ready', flush=True); signal.pause()")
    assert says(client) == "ready"
    client.terminate()
    assert client.wait(60) == 128 + signal.SIGTERM
    interrupted = home.begins("import signal; print('ready', flush=True); signal.pause()")
    assert says(interrupted) == "ready"
    interrupted.send_signal(signal.SIGINT)
    assert "KeyboardInterrupt" in interrupted.communicate(timeout=60)[1]


def test_command_of_a_client_that_was_killed_ends(home: Home) -> None:
    client = home.begins("import os, signal; print(os.getpid(), flush=True); signal.pause()")
    command = psutil.Process(int(says(client)))
    client.kill()
    command.wait(60)
    assert home.runs("print(1)")[:2] == (0, "1\n")


def test_commands_run_beside_each_other_and_with_chance_of_their_own(home: Home) -> None:
    code = "import random; print(random.random(), flush=True); input(); print('done')"
    first, second = home.begins(code), home.begins(code)
    assert says(first) != says(second)
    assert [client.communicate("\n", timeout=60)[0] for client in (second, first)] == ["done\n", "done\n"]


def test_command_does_not_begin_where_there_is_no_warm_process(home: Home) -> None:
    os.kill(home.server.pid, signal.SIGKILL)
    home.server.wait(60)
    assert (home.path / SOCKET).exists()
    assert home.runs("print('twice')")[:2] == (0, "by itself\n")
    (home.path / SOCKET).unlink()
    assert home.runs("print('twice')")[:2] == (0, "by itself\n")


def test_other_program_and_other_interpreter_go_on_by_themselves(home: Home) -> None:
    assert home.runs("print(1)", program="other")[:2] == (0, "by itself\n")
    assert home.runs("print(1)", PYTHONHASHSEED="7")[:2] == (0, "by itself\n")
    assert home.runs("print(1)", PYTHONUNBUFFERED="1")[:2] == (0, "1\n")


def test_outdated_process_takes_no_command_and_ends_after_those_it_has(home: Home) -> None:
    client = home.begins("print('ready', flush=True); input(); print('done')")
    assert says(client) == "ready"
    (home.path / OUTDATED).touch()
    assert home.runs("print(1)")[:2] == (0, "by itself\n")
    assert not (home.path / SOCKET).exists()
    assert home.server.poll() is None
    assert client.communicate("\n", timeout=60)[0] == "done\n"
    assert home.ends() == "OUTDATED\n"


def test_end_of_the_warm_process_ends_its_commands(home: Home) -> None:
    client = home.begins("import signal; print('ready', flush=True); signal.pause()")
    assert says(client) == "ready"
    home.server.terminate()
    assert client.wait(60) == 128 + signal.SIGTERM
    assert home.ends() == "TOLD_TO_END\n"
    assert not (home.path / SOCKET).exists()


def test_warm_process_ends_with_its_lifeline(home: Home) -> None:
    client = home.begins("import signal; print('ready', flush=True); signal.pause()")
    assert says(client) == "ready"
    assert home.server.stdin is not None
    home.server.stdin.close()
    assert client.wait(60) == 128 + signal.SIGTERM
    assert home.server.wait(60) == 0
    assert not (home.path / SOCKET).exists()


def test_command_goes_on_where_the_warm_process_was_killed(home: Home) -> None:
    client = home.begins("print('ready', flush=True); input(); print('done')")
    assert says(client) == "ready"
    home.server.kill()
    out, err = client.communicate("\n", timeout=60)
    assert (client.returncode, out) == (1, "done\n")
    assert err.startswith("error: the warm process has died")


@pytest.mark.parametrize("answer", [b"", b"\x05\x00", b"\xff\xff", b"\x01"])
def test_answers_that_are_none_let_the_command_go_on_by_itself(tmp_path: Path, home: Home, answer: bytes) -> None:
    home.server.terminate()
    home.server.wait(60)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(home.path / SOCKET))
        listener.listen()

        def respond() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(1)
                connection.sendall(answer)

        thread = threading.Thread(target=respond)
        thread.start()
        assert home.runs("print('twice')")[:2] == (0, "by itself\n")
        thread.join()


def test_who_says_nothing_sensible_holds_up_nobody(home: Home) -> None:
    with socket.socket(socket.AF_UNIX) as silent, socket.socket(socket.AF_UNIX) as noisy:
        silent.connect(str(home.path / SOCKET))
        noisy.connect(str(home.path / SOCKET))
        noisy.sendall(b"GET / HTTP/1.1\r\n\r\n")
        until(lambda: home.runs("print(1)")[1] == "1\n")


def test_only_the_owner_may_connect(home: Home) -> None:
    assert (home.path / SOCKET).stat().st_mode & 0o777 == 0o600
