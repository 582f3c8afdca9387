"""What a hub refuses, gated or unknown, is told with a remedy: a server on this machine plays the hub."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from bench.gate.inherited import fresh_environment
from tests.bench.kept_runs import ROOT
from tests.fixtures.parquet_rows import ROWS, write_rows

pytestmark = pytest.mark.long
ASK = """
import sys
from bench.front.supplied.__main__ import main
for name in sys.argv[2:]:
    print(name, main([f"--checkpoint={name}", "--benchmark=chartqa", f"--data={sys.argv[1]}", "--out=mine.json"]))
"""
REFUSALS = {  # as huggingface.co answers: status and the header that says why
    "gated/model": (403, "GatedRepo"),
    "nobody/nothing": (401, "RepoNotFound"),
}


class Hub(BaseHTTPRequestHandler):
    """Refuses the repositories of REFUSALS."""

    def do_GET(self) -> None:
        """Answer a request, or its head alone."""
        status, why = next(found for name, found in REFUSALS.items() if name in self.path)
        body = json.dumps({"error": why}).encode()
        self.send_response(status)
        self.send_header("X-Error-Code", why)
        self.send_header("X-Error-Message", why)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)

    do_HEAD = do_GET

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def hub() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()


def test_what_a_hub_refuses_says_what_to_do(hub: str, tmp_path: Path) -> None:
    write_rows(tmp_path, "chartqa", ROWS["chartqa"][0])
    environment = {**fresh_environment(), "HF_ENDPOINT": hub, "HF_HUB_OFFLINE": "0", "HF_HOME": str(tmp_path / "home"),
                   "NO_PROXY": "127.0.0.1", "PYTHONPATH": str(ROOT)}  # fmt: skip
    command = [sys.executable, "-c", ASK, str(tmp_path), *REFUSALS]
    ended = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=True)
    assert ended.stdout.split() == ["gated/model", "4", "nobody/nothing", "4"]
    gated, unknown = re.findall("error: .*", ended.stderr)
    assert gated.endswith("; ask for access on https://huggingface.co/gated/model and log in with `hf auth login`")
    assert unknown.endswith("; check its spelling; a private one needs `hf auth login`")
