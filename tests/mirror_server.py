"""A real web server on this machine that behaves as well or as badly as the first part of the path says: /cut/a.bin."""

import contextlib
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

PAGE = b"<!DOCTYPE html>\n<html><head><title>We are\n moving house</title></head></html>"
BUSY = 2  # how often /busy says so


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        server = self.server
        wanted, if_range = self.headers.get("Range"), self.headers.get("If-Range")
        server.asked.append((self.path, wanted))
        _, behaviour, name = urlsplit(self.path).path.split("/")
        if behaviour == "redirect":
            return self.answer(302, b"", Location=f"/good/{name}")
        if behaviour == "circle":
            return self.answer(302, b"", Location=self.path)
        if behaviour == "html":
            return self.answer(200, PAGE)
        if behaviour == "silent":
            return server.over.wait(5)
        if behaviour == "overloaded" or (behaviour == "busy" and len(server.asked) <= BUSY):
            return self.answer(503, b"", Retry_After="3600")
        body = server.files.get(name)
        if body is None or behaviour == "gone":
            return self.send_error(404)
        if behaviour == "wrong":
            body = body[:-1] + b"!"
        etag = f'"{hash(body)}"'
        if not wanted or behaviour in ("plain", "cutplain") or if_range not in (None, etag):
            status, start, extent = 200, 0, {}
        else:
            status, start = 206, int(wanted.removeprefix("bytes=").removesuffix("-"))
            start = 1000 if behaviour == "elsewhere" else start
            extent = {"Content_Range": f"bytes {start}-{len(body) - 1}/{len(body)}"}
            if start >= len(body):
                return self.send_error(416)
        rest = body[start:]
        length = {"longer": len(rest) + 100, "shorter": len(rest) - 100}.get(behaviour, len(rest))
        extent |= {"Transfer_Encoding": "chunked"} if behaviour == "chunked" else {}
        self.answer(
            status,
            b"",
            length=None if behaviour in ("bare", "endless", "chunked") else length,
            ETag=etag,
            **extent,
        )
        with contextlib.suppress(ConnectionError):
            self.send_body(behaviour, rest)
        server.after_answer()
        return None

    def send_body(self, behaviour, rest):
        if behaviour in ("cut", "cutplain", "bare", "elsewhere", "chunked"):
            rest = rest[: self.server.cut_after]
        if behaviour == "chunked":  # the length of the chunk, then less than that
            self.wfile.write(b"%x\r\n" % (len(rest) + 1))
        self.wfile.write(rest[: len(rest) // 2] if behaviour == "stall" else rest)
        if behaviour == "stall":
            self.wfile.flush()
            self.server.over.wait(5)
        while behaviour == "endless" and not self.server.over.is_set():
            self.wfile.write(bytes(10_000))

    def do_CONNECT(self):
        self.server.asked.append((self.path, None))
        self.send_error(403)

    def answer(self, status, body, length=-1, **headers):
        self.send_response(status)
        if length is not None:
            headers["Content_Length"] = len(body) if length == -1 else length
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), str(value))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        pass


@contextlib.contextmanager
def mirror_server(files):
    """A running server of these files (name: bytes): .url, .asked as (path, Range), .cut_after bytes, .after_answer()."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        server.files, server.asked, server.cut_after, server.over = (
            files,
            [],
            400_000,
            threading.Event(),
        )
        server.after_answer = lambda: None
        server.url = f"http://127.0.0.1:{server.server_port}"
        threading.Thread(
            target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True
        ).start()
        try:
            yield server
        finally:
            server.over.set()
            server.shutdown()
