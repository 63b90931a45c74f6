"""A real web server on this machine that behaves as well or as badly as the first part of the path says: /cut/a.bin."""

import contextlib
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

PAGE = b"<!DOCTYPE html>\n<html><head><title>We are moving house</title></head></html>"
BUSY = 2  # how often /busy says so
REDIRECTS = {  # addresses that are none, or none that a download may follow
    "to-brackets": "http://[::1",
    "to-port": "http://127.0.0.1:port/a.bin",
    "to-file": "file:///etc/hostname",
    "to-nothing": "http://",
    "to-dots": f"http://{'a' * 70}..b/a.bin",
    "to-letters": "//[::1]]:x/\xff",
}
HEADS = {  # beginnings of an answer that HTTP does not allow
    "no-http": b"Dear reader, I am no server.\r\n\r\n",
    "no-status": b"HTTP/1.1 two hundred OK\r\n\r\n",
    "no-length": b"HTTP/1.1 200 OK\r\nContent-Length: ten\r\n\r\n0123456789",
    "two-lengths": b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 7\r\n\r\n0123456",
    "minus": b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n0123456",
    "long-number": b"HTTP/1.1 206 OK\r\nContent-Range: bytes "
    + b"9" * 5000
    + b"-9/*\r\n\r\n0123456",
    "no-range": b"HTTP/1.1 206 OK\r\nContent-Range: bytes a-b/c\r\n\r\n0123456",
    "no-chunks": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nten\r\n0123456",
    "many-headers": b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 300 + b"\r\n",
    "long-header": b"HTTP/1.1 200 OK\r\nX: " + b"y" * 100_000 + b"\r\n\r\n",
    "no-content": b"HTTP/1.1 204 No Content\r\n\r\n",
    "nowhere": b"HTTP/1.1 302 Found\r\n\r\n",
    "nothing": b"",
    "boast": b"HTTP/1.1 200 OK\r\nContent-Length: 900000000000000\r\n\r\n0123456",
}
FLOODS = {  # without end
    "long-busy": (b"HTTP/1.1 503 Busy\r\n\r\n", bytes(10_000)),
    "long-gone": (b"HTTP/1.1 404 Gone\r\n\r\n", bytes(10_000)),
}


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        server = self.server
        wanted = self.headers.get("Range")
        server.asked.append((self.path, wanted))
        _, behaviour, name = urlsplit(self.path).path.split("/")
        if behaviour == "redirect":
            return self.answer(302, b"", Location=f"/good/{name}")
        if behaviour == "circle":
            return self.answer(302, b"", Location=self.path)
        if behaviour == "html":
            return self.answer(200, PAGE, Content_Type="text/html; charset=utf-8")
        if behaviour in REDIRECTS:
            return self.answer(302, b"", Location=REDIRECTS[behaviour])
        if behaviour in HEADS:
            return self.send_raw(HEADS[behaviour])
        if behaviour in FLOODS:
            return self.flood(*FLOODS[behaviour])
        if behaviour == "silent":
            return server.over.wait(5)
        if behaviour == "overloaded" or (behaviour == "busy" and len(server.asked) <= BUSY):
            return self.answer(503, b"")
        body = server.files.get(name)
        if body is None or behaviour == "gone":
            return self.send_error(404)
        if behaviour == "wrong":
            body = body[:-1] + b"!"
        if behaviour == "offset":  # another stretch, whatever is asked for
            status = 206
            start = 1000
            extent = {"Content_Range": f"bytes {start}-{len(body) - 1}/{len(body)}"}
        elif not wanted or behaviour in ("plain", "cutplain"):
            status = 200
            start = 0
            extent = {}
        else:
            status = 206
            start = int(wanted.removeprefix("bytes=").removesuffix("-"))
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
            **extent,
        )
        with contextlib.suppress(ConnectionError):
            self.send_body(behaviour, rest)
        server.after_answer()
        return None

    def send_raw(self, head):
        self.wfile.write(head)
        self.close_connection = True

    def flood(self, start, piece):
        with contextlib.suppress(ConnectionError):
            self.wfile.write(start)
            while not self.server.over.is_set():
                self.wfile.write(piece)
        self.close_connection = True

    def send_body(self, behaviour, rest):
        if behaviour in ("cut", "cutplain", "bare", "elsewhere", "chunked", "pause"):
            rest = rest[: self.server.cut_after]
        if behaviour == "chunked":  # the length of the chunk, then less than that
            self.wfile.write(b"%x\r\n" % (len(rest) + 1))
        self.wfile.write(rest[: len(rest) // 2] if behaviour == "stall" else rest)
        if behaviour in ("stall", "pause"):
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
        server.files = files
        server.asked = []
        server.cut_after = 400_000
        server.over = threading.Event()
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
