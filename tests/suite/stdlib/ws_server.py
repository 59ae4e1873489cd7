# A server of WebSockets that does what its path says. Prints its port, and ends with its stdin.
import base64, hashlib, json, os, socketserver, struct, sys, threading


class Handler(socketserver.StreamRequestHandler):
    def frame(self, kind, data, final=True, size=None):
        size = len(data) if size is None else size
        head = bytes([(128 if final else 0) | kind])
        if size < 126:
            head += bytes([size])
        elif size < 65536:
            head += b"\x7e" + struct.pack(">H", size)
        else:
            head += b"\x7f" + struct.pack(">Q", size)
        self.wfile.write(head + data)
        self.wfile.flush()

    def read(self):
        """The kind and the data of a message of the client, whose frames are masked."""
        head = self.rfile.read(2)
        if len(head) < 2:
            return 8, b""
        size = head[1] & 127
        if size == 126:
            size = struct.unpack(">H", self.rfile.read(2))[0]
        elif size == 127:
            size = struct.unpack(">Q", self.rfile.read(8))[0]
        assert head[1] & 128, "a client masks its frames"
        mask = self.rfile.read(4)
        data = self.rfile.read(size)
        return head[0] & 15, bytes(byte ^ mask[at % 4] for at, byte in enumerate(data))

    def handle(self):
        path = self.rfile.readline().decode().split()[1]
        headers = {}
        while line := self.rfile.readline().decode().strip():
            name, value = line.split(": ", 1)
            headers[name.lower()] = value
        if path == "/deny":
            self.wfile.write(b"HTTP/1.1 403 No\r\nContent-Length: 0\r\n\r\n")
            return
        if path == "/redirect":
            self.wfile.write(b"HTTP/1.1 302 X\r\nLocation: ws://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n")
            return
        key = headers["sec-websocket-key"] + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
        accept = base64.b64encode(hashlib.sha1(key.encode()).digest()).decode()
        if path == "/key":
            accept = "AAAA"
        answer = "HTTP/1.1 101 X\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n" % accept
        if wanted := headers.get("sec-websocket-protocol"):
            answer += "Sec-WebSocket-Protocol: %s\r\n" % wanted.split(", ")[-1]
        self.wfile.write((answer + "\r\n").encode())
        talk = getattr(self, "of_" + path.split("?")[0].strip("/").replace("/", "_"), None)
        if talk:
            talk(path, headers)

    def of_echo(self, path, headers):
        self.frame(1, json.dumps(headers).encode())
        while True:
            kind, data = self.read()
            if kind == 8:
                print("closed", data.hex(), flush=True)
                self.frame(8, data)
                return
            if kind in (1, 2):
                self.frame(kind, data)

    def of_pieces(self, path, headers):
        text = "é😀".encode()
        self.frame(1, text[:1], final=False)
        self.frame(9, b"ping")
        self.frame(0, text[1:4], final=False)
        self.frame(0, text[4:])
        self.frame(1, b"pong " + self.read()[1])
        self.frame(8, struct.pack(">H", 4001) + b"bye")

    def of_large(self, path, headers):
        try:
            self.frame(2, b"x" * 65536, size=64 << 20)
            self.read()
        except OSError:
            pass

    def of_many(self, path, headers):
        try:
            while True:
                self.frame(0 if self.began else 1, b"x" * 1000000, final=False)
                self.began = True
        except OSError:
            pass

    began = False

    def of_kind(self, path, headers):
        self.frame(5, b"what")
        self.read()

    def of_text(self, path, headers):
        self.frame(1, b"\xff\xfe")
        self.read()

    def of_quiet(self, path, headers):
        self.read()

    def of_loki_api_v1_tail(self, path, headers):
        self.frame(1, json.dumps({"streams": [{"stream": {"path": path, "own": headers.get("x-own", "")}, "values": [["1", headers.get("x-scope-orgid", "")]]}]}).encode())
        self.frame(1, json.dumps({"streams": [], "dropped_entries": [{"timestamp": "2"}]}).encode())
        print("tail", self.read()[0], flush=True)


class Server(socketserver.ThreadingTCPServer):
    daemon_threads = True


with Server(("127.0.0.1", 0), Handler) as server:
    print(server.server_address[1], flush=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    sys.stdin.read()
    os._exit(0)
