from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from engine.errors import InputError
from engine.home.discovery import FILE_NAME, DevAddress, announced, running
from engine.home.lock import exclusive, is_held

ADDRESS = DevAddress(address="127.0.0.1:7233", ui="http://127.0.0.1:8233", pid=os.getpid())

HOLDER = """
import asyncio, sys
from pathlib import Path
from engine.home.lock import exclusive
async def main():
    async with exclusive(Path(sys.argv[1])):
        print("held", flush=True)
        await asyncio.Event().wait()
asyncio.run(main())
"""


async def test_the_second_is_refused_and_told_who_is_first(tmp_path: Path) -> None:
    async with exclusive(tmp_path):
        with pytest.raises(InputError) as raised:
            async with exclusive(tmp_path):
                raise AssertionError

    assert raised.value.field == "PROMOTE_HOME"
    assert raised.value.problem == (
        f"{tmp_path} is in use by another `promote dev` (process {os.getpid()})"
    )


async def test_the_lock_is_free_again_after_the_block(tmp_path: Path) -> None:
    for _ in range(2):
        async with exclusive(tmp_path):
            assert is_held(tmp_path)
        assert not is_held(tmp_path)


async def test_the_lock_goes_with_a_killed_process(tmp_path: Path) -> None:
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(tmp_path)], stdout=subprocess.PIPE, text=True
    )
    assert holder.stdout is not None
    with holder, holder.stdout:
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(InputError, match=f"process {holder.pid}"):
            async with exclusive(tmp_path):
                raise AssertionError
        holder.send_signal(signal.SIGKILL)
        holder.wait()

    async with exclusive(tmp_path):
        pass


async def test_looking_at_the_lock_does_not_keep_others_out(tmp_path: Path) -> None:
    looker = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "import sys; from pathlib import Path; from engine.home.lock import is_held\n"
            "print('looking', flush=True)\nwhile True: is_held(Path(sys.argv[1]))",
            str(tmp_path),
        ],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert looker.stdout is not None
    with looker, looker.stdout:
        try:
            assert looker.stdout.readline() == "looking\n"
            for _ in range(20):
                async with exclusive(tmp_path):
                    pass
        finally:
            looker.kill()


async def test_a_home_that_cannot_be_used_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be used: No such file"):
        async with exclusive(tmp_path / "missing"):
            raise AssertionError


async def test_a_running_system_is_found_and_a_stopped_one_is_not(tmp_path: Path) -> None:
    assert running(tmp_path) is None
    async with exclusive(tmp_path):
        with announced(tmp_path, ADDRESS):
            assert running(tmp_path) == ADDRESS
        assert running(tmp_path) is None

    assert not (tmp_path / FILE_NAME).exists()


async def test_the_file_holds_what_other_programs_need(tmp_path: Path) -> None:
    with announced(tmp_path, ADDRESS):
        assert json.loads((tmp_path / FILE_NAME).read_text()) == {
            "address": "127.0.0.1:7233",
            "ui": "http://127.0.0.1:8233",
            "namespace": "default",
            "pid": os.getpid(),
        }


def test_a_file_left_behind_by_a_killed_process_is_ignored(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as gone:
        gone.wait()
    stale = ADDRESS.model_copy(update={"pid": gone.pid})
    (tmp_path / FILE_NAME).write_text(stale.model_dump_json())

    assert running(tmp_path) is None


def test_a_file_whose_process_id_another_process_has_now_is_ignored(tmp_path: Path) -> None:
    (tmp_path / FILE_NAME).write_text(ADDRESS.model_dump_json())

    assert running(tmp_path) is None


@pytest.mark.parametrize("content", ["", "{}", "[]", '{"address": 5}', "\x00"])
async def test_a_broken_file_is_ignored(tmp_path: Path, content: str) -> None:
    async with exclusive(tmp_path):
        (tmp_path / FILE_NAME).write_text(content)

        assert running(tmp_path) is None
