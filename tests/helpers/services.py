"""Services elsewhere, for real and on loopback: PostgreSQL, an MLflow server before it, an S3 store."""

import logging
import os
import pwd
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

SECONDS = 120  # what does not answer by then on a busy machine never will


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


def postgres_programs() -> Path:
    """The folder of PostgreSQL's programs, or a skip that says what is missing."""
    pytest.importorskip("psycopg2", reason="psycopg2-binary is not installed (the extra `remote`)")
    on_path = shutil.which("pg_ctl")
    folders = [Path(on_path).resolve().parent] if on_path else sorted(Path("/usr/lib/postgresql").glob("*/bin"))
    found = [folder for folder in folders if (folder / "initdb").exists() and (folder / "pg_ctl").exists()]
    if not found:
        pytest.skip("PostgreSQL's server programs (initdb, pg_ctl) are not installed")
    return found[-1]


class Postgres:
    """A database server of its own in a temporary folder; it refuses to run as root, so that another user does then."""

    def __init__(self, programs: Path, folder: Path) -> None:
        self.port, self._programs, self._folder = free_port(), programs, folder
        self._user = {}
        if os.geteuid() == 0:
            nobody = pwd.getpwnam("nobody")
            os.chown(folder, nobody.pw_uid, nobody.pw_gid)
            self._user = {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}
        self._call("initdb", "--auth=trust", "--username=mlflow", "--no-sync", "--encoding=UTF8", "--locale=C")

    @property
    def address(self) -> str:
        return f"postgresql://mlflow@127.0.0.1:{self.port}/postgres"

    def start(self) -> None:
        options = f"-p {self.port} -k {self._folder} -c listen_addresses=127.0.0.1 -c fsync=off"
        self._call("pg_ctl", "--wait", f"--timeout={SECONDS}", f"--log={self._folder / 'log'}", "-o", options, "start")

    def stop(self, mode: str = "fast") -> None:
        self._call("pg_ctl", "--wait", f"--timeout={SECONDS}", f"--mode={mode}", "stop")

    def _call(self, program: str, *words: str) -> None:
        command = [self._programs / program, "-D", self._folder / "data", *words]
        done = subprocess.run(
            command, cwd=self._folder, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, **self._user
        )
        assert done.returncode == 0, f"{program}: {done.stderr}"


@contextmanager
def postgres() -> Iterator[Postgres]:
    """A running one."""
    programs = postgres_programs()
    with tempfile.TemporaryDirectory(prefix="ncfl-postgres-", ignore_cleanup_errors=True) as folder:
        server = Postgres(programs, Path(folder))
        server.start()
        try:
            yield server
        finally:
            server.stop("immediate")


class MlflowServer:
    """``mlflow server``, started and stopped as often as a test wants, with its artifacts in a folder of its own."""

    def __init__(self, backend: str, folder: Path) -> None:
        self.port, self._backend, self._folder = free_port(), backend, folder
        self._process: subprocess.Popen | None = None

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        command = [Path(sys.executable).parent / "mlflow", "server", "--backend-store-uri", self._backend]
        command += ["--artifacts-destination", str(self._folder / "artifacts"), "--workers", "1"]
        command += ["--host", "127.0.0.1", "--port", str(self.port)]
        environment = {**os.environ, "MLFLOW_DISABLE_TELEMETRY": "true"}
        environment["MLFLOW_SERVER_ENABLE_JOB_EXECUTION"] = "false"  # eight more processes, for what no test here asks
        environment.pop("MLFLOW_TRACKING_URI", None)
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                command, stdout=log, stderr=log, env=environment, cwd=self._folder, start_new_session=True
            )
        wait_for(f"{self.address}/health", self._process, self._folder / "log")

    def stop(self) -> None:
        if self._process is not None:
            os.killpg(self._process.pid, 9)  # it and its worker, in the middle of whatever they do
            self._process.wait()
        self._process = None


def wait_for(address: str, process: subprocess.Popen, log: Path) -> None:
    """Until a server answers."""
    end = time.monotonic() + SECONDS
    while time.monotonic() < end and process.poll() is None:
        try:
            urllib.request.urlopen(address, timeout=5).close()
            return
        except OSError:
            time.sleep(0.1)
    raise AssertionError(f"{address} does not answer:\n{log.read_text()}")


@contextmanager
def s3_store(bucket: str) -> Iterator[str]:
    """An S3 server with an empty bucket; its address."""
    pytest.importorskip("dvc_s3", reason="dvc-s3 is not installed (the extra `remote`)")
    pytest.importorskip("moto", reason="moto, a server that speaks S3, is not installed")
    from boto3 import client
    from moto.server import ThreadedMotoServer

    logging.getLogger("werkzeug").setLevel(logging.ERROR)  # a line for each request is nothing to read
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        address = f"http://{host}:{port}"
        client("s3", endpoint_url=address, region_name="us-east-1").create_bucket(Bucket=bucket)
        yield address
    finally:
        server.stop()
