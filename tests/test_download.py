import hashlib
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest

from srlib.download import DownloadError, fetch

CONTENT = np.random.default_rng(0).bytes(3_000_000)
SHA256 = hashlib.sha256(CONTENT).hexdigest()


class Handler(BaseHTTPRequestHandler):
    """/good has ranges and /plain has none; /cut closes the connection half way; /html is an error page with status 200."""

    def do_GET(self):
        self.server.asked.append((self.path, self.headers.get("Range")))
        if self.path == "/gone":
            return self.send_error(404)
        body, status, start = CONTENT, 200, 0
        if self.path == "/html":
            body = b"<html>Our server is being moved</html>"
        elif self.path == "/wrong":
            body = CONTENT[:-1] + b"!"
        elif self.path in ("/good", "/cut") and self.headers.get("Range"):
            start, status = int(self.headers["Range"].removeprefix("bytes=").removesuffix("-")), 206
            if start >= len(body):
                return self.send_error(416)
        body = body[start:]
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[: len(body) // 2] if self.path == "/cut" else body)
        return None

    def log_message(self, *args):
        pass


@pytest.fixture
def server():
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.asked = []
        server.url = f"http://127.0.0.1:{server.server_port}"
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


def test_fetches_once_with_progress(server, tmp_path):
    seen = []
    target = fetch([f"{server.url}/good"], tmp_path / "deep" / "a.bin", sha256=SHA256, on_progress=lambda *p: seen.append(p))
    assert target.read_bytes() == CONTENT
    assert seen[-1] == (len(CONTENT), len(CONTENT))
    fetch([f"{server.url}/good"], target, sha256=SHA256)
    assert len(server.asked) == 1


def test_mirrors_in_order_and_their_answers(server, tmp_path):
    bad = [f"{server.url}/gone", f"{server.url}/html", f"{server.url}/wrong", "http://127.0.0.1:9/x"]
    assert fetch([*bad, f"{server.url}/good"], tmp_path / "a.bin", sha256=SHA256).read_bytes() == CONTENT
    with pytest.raises(DownloadError) as caught:
        fetch(bad, tmp_path / "b.bin", sha256=SHA256)
    message = str(caught.value)
    assert "/gone: answered 404" in message and message.count("gave another file") == 2 and "9/x: no connection" in message
    assert [p.name for p in tmp_path.iterdir()] == ["a.bin"]


def test_a_cut_transfer_goes_on(server, tmp_path):
    with pytest.raises(DownloadError):
        fetch([f"{server.url}/cut"], tmp_path / "a.bin", sha256=SHA256)
    assert not (tmp_path / "a.bin").exists()
    (part,) = tmp_path.iterdir()
    have = part.stat().st_size
    assert 0 < have < len(CONTENT)
    fetch([f"{server.url}/good"], tmp_path / "a.bin", sha256=SHA256)
    assert server.asked[-1] == ("/good", f"bytes={have}-")
    assert (tmp_path / "a.bin").read_bytes() == CONTENT


def test_a_cut_transfer_starts_over_where_there_are_no_ranges(server, tmp_path):
    with pytest.raises(DownloadError):
        fetch([f"{server.url}/cut"], tmp_path / "a.bin", sha256=SHA256)
    assert fetch([f"{server.url}/plain"], tmp_path / "a.bin", sha256=SHA256).read_bytes() == CONTENT


def test_a_whole_part_file_is_only_checked(server, tmp_path):
    (tmp_path / f"a.bin.{SHA256[:8]}.part").write_bytes(CONTENT)
    assert fetch([f"{server.url}/good"], tmp_path / "a.bin", sha256=SHA256).read_bytes() == CONTENT
