"""rar: its headers through rarfile, its compressed files through a program that the user has.

The program writes no file. It streams all contents one after another, in the archive's order, and they are cut
by the headers' sizes and compared with their checksums: one process for thousands of files, and nothing to trust.
A program that falls silent is ended, because some loop forever on what they do not understand.
"""

import contextlib
import shutil
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO

from ncfl.common.errors import InputError
from ncfl.data.transport.archive_members import Member, clean, kind_of
from ncfl.data.transport.archive_outputs import BUFFER, Outputs, Readable, encrypted

_SILENCE = 60.0  # seconds without output after which a program is taken to hang
# The program and what makes it write every file's content to standard output.
_PROGRAMS = (
    ("unrar", "p", "-inul", "-p-", "-cfg-", "--"),
    ("7zz", "x", "-so", "-bd", "-spd", "--"),
    ("7z", "x", "-so", "-bd", "-spd", "--"),
    ("unar", "-quiet", "-output-directory", "-"),
    ("bsdtar", "-x", "-O", "-f"),
)


class RarReader:
    """rar, versions 3 to 5, in one piece; without compression no program is needed."""

    def __init__(self, path: Path, file: BinaryIO) -> None:
        try:
            import rarfile
        except ImportError:
            raise InputError(f"{path}: reading rar needs rarfile: pip install rarfile") from None
        self._path, self._library = path, rarfile
        blocks: list[int] = []
        try:
            self._rar = rarfile.RarFile(
                file, errors="strict", part_only=True, info_callback=lambda block: blocks.append(block.type)
            )
        except rarfile.RarCannotExec:  # a compressed comment
            raise _no_program(path) from None
        if self._rar.needs_password():
            raise encrypted(path)
        if rarfile.RAR_BLOCK_ENDARC not in blocks:
            raise InputError(f"{path}: it is damaged, since it ends before the archive's end; download it again")

    def members(self) -> Iterator[Member]:
        split = self._library.RAR_FILE_SPLIT_BEFORE | self._library.RAR_FILE_SPLIT_AFTER
        for info in self._rar.infolist():
            if info.flags & split:
                raise InputError(
                    f"{self._path}: expected a whole archive, got one of several parts; unpack it by hand, pass the "
                    "folder with --from"
                )
            yield Member(info.filename, self._kind(info), info.file_size)

    def extract(self, outputs: Outputs) -> None:
        infos = [info for info in self._rar.infolist() if info.is_file()]
        if all(info.compress_type == self._library.RAR_M0 for info in infos):
            for info in infos:
                with self._rar.open(info) as source:
                    outputs.copy(clean(info.filename), source)
            return
        program = self._program(next(info for info in infos if info.file_size))
        with _contents(program, self._path) as stream:
            for info in infos:
                outputs.copy(clean(info.filename), _Checked(stream, info))
            if stream.read(1):
                raise ValueError(f"{program[0]} unpacks more than the headers list")

    def _kind(self, info: Any) -> str:
        if info.file_redir or info.is_symlink():
            return "a link"
        if info.is_dir():
            return "folder"
        return kind_of(info.mode) if info.host_os == self._library.RAR_OS_UNIX else "file"

    def _program(self, first: Any) -> tuple[str, ...]:
        """The first program that is there and unpacks the first file: not each one has every method."""
        there = [program for program in _PROGRAMS if shutil.which(program[0])]
        for program in there:
            with contextlib.suppress(ValueError, OSError), _contents(program, self._path) as stream:
                source = _Checked(stream, first)
                while source.read(BUFFER):
                    pass
                return program
        raise _no_program(self._path, [program[0] for program in there])


class _Checked:
    """The next file of the stream: no more than its size, and at its end its checksum.

    Raises:
        ValueError: the stream ends early, or the checksum is another one.
    """

    def __init__(self, stream: Readable, info: Any) -> None:
        self._stream, self._info, self._left = stream, info, info.file_size
        # rarfile's own choice of CRC-32 or BLAKE2sp; an archive may have neither.
        self._digest = info._md_class() if info._md_class else None

    def read(self, size: int) -> bytes:
        data = self._stream.read(min(size, self._left))
        self._left -= len(data)
        if self._digest is not None:
            self._digest.update(data)
        if not data and self._left:
            raise ValueError(f"{self._info.filename} ends {self._left} bytes early")
        if not data and self._digest is not None and self._digest.digest() != self._info._md_expect:
            raise ValueError(f"{self._info.filename} has a wrong checksum")
        return data


@contextlib.contextmanager
def _contents(program: tuple[str, ...], path: Path) -> Iterator[Readable]:
    """What the program unpacks, as one stream; should it write files all the same, they are thrown away."""
    with tempfile.TemporaryDirectory() as scratch:
        # A name of our own, without neighbors: programs join what looks like parts, and take * and - for more.
        alias = Path(scratch) / "archive.rar"
        try:
            alias.symlink_to(path.resolve())
        except OSError:  # Windows, without the right to make links
            alias = path.resolve()
        process = subprocess.Popen(
            [shutil.which(program[0]) or program[0], *program[1:], str(alias)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            cwd=scratch,
        )
        stream = _Watched(process)
        try:
            yield stream
        finally:
            stream.close()


class _Watched:
    """A program's output; reading ends, as at its end, when nothing has come for ``_SILENCE``."""

    def __init__(self, process: "subprocess.Popen[bytes]") -> None:
        assert process.stdout is not None
        self._process, self._stdout = process, process.stdout
        self._waiting_since: float | None = None
        self._closed = threading.Event()
        self._watchdog = threading.Thread(target=self._watch, name="rar watchdog", daemon=True)
        self._watchdog.start()

    def read(self, size: int) -> bytes:
        self._waiting_since = time.monotonic()
        try:
            return self._stdout.read1(size)  # what is there: a slow program is not a silent one
        finally:
            self._waiting_since = None

    def close(self) -> None:
        self._closed.set()
        self._watchdog.join()
        self._process.kill()
        self._stdout.close()
        self._process.wait()

    def _watch(self) -> None:
        while not self._closed.wait(_SILENCE / 10):
            since = self._waiting_since
            if since is not None and time.monotonic() - since > _SILENCE:
                self._process.kill()
                return


def _no_program(path: Path, failed: Sequence[str] = ()) -> InputError:
    tried = f" ({' and '.join(failed)} failed)" if failed else ""
    return InputError(
        f"{path}: this rar needs a program that unpacks it: install unrar, 7zz, unar or bsdtar (libarchive-tools)"
        f"{tried}, or unpack it by hand and pass the folder with --from"
    )
