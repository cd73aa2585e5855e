"""An HTTP/2 server on python3-h2 that does within the protocol what few do: python3 h2_upstream.py

Prints the port it listens on, and ends with its standard input. The path says what happens:

/padded             DATA with padding of every length
/ping               PINGs between DATA, each DATA only when the one before was acknowledged
/goaway             answers, says GOAWAY, and closes when what it has begun is done
/goaway-before      GOAWAY before the answer of this very stream
/reset              half of a body, then RST_STREAM
/refused-once/KEY   REFUSED_STREAM the first time
/one-stream         SETTINGS_MAX_CONCURRENT_STREAMS 1 from now on; its body is the most streams at once since then
/shrink             a window of 1,000 bytes for what is uploaded from now on; its body is the bytes that came
/big-head           fields of 12,000 bytes in CONTINUATION frames
/hints              two informational answers, then trailers after an empty body
/last-byte          the whole body but for END_STREAM, which comes alone in an empty DATA frame
"""

import socket
import sys
import threading
import time

import h2.config
import h2.connection
import h2.errors
import h2.events
import h2.exceptions
import h2.settings

body_bytes = 60_000
seen = set()
lock = threading.Lock()


class Connection:
    def __init__(self, sock):
        self.sock = sock
        config = h2.config.H2Configuration(client_side=False, header_encoding="utf-8")
        self.h2 = h2.connection.H2Connection(config)
        self.paths = {}
        self.uploads = {}
        self.open = set()
        self.most = 0
        self.pings = {}
        self.padded = {}
        self.leaving = False

    def run(self):
        self.h2.initiate_connection()
        self.flush()
        while True:
            data = self.sock.recv(65_536)
            if not data:
                return
            for event in self.h2.receive_data(data):
                self.on(event)
            self.flush()
            if self.leaving and not self.open:
                return

    def flush(self):
        self.sock.sendall(self.h2.data_to_send())

    def on(self, event):
        if isinstance(event, h2.events.RequestReceived):
            self.open.add(event.stream_id)
            self.most = max(self.most, len(self.open))
            self.paths[event.stream_id] = dict(event.headers)[":path"]
            self.uploads[event.stream_id] = 0
        elif isinstance(event, h2.events.DataReceived):
            self.uploads[event.stream_id] += len(event.data)
            self.h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
        elif isinstance(event, h2.events.StreamEnded):
            self.answer(event.stream_id)
        elif isinstance(event, h2.events.WindowUpdated):
            for stream_id in list(self.padded):
                self.send_padded(stream_id)
        elif isinstance(event, h2.events.StreamReset):
            self.open.discard(event.stream_id)
        elif isinstance(event, h2.events.PingAckReceived):
            stream_id = self.pings.pop(bytes(event.ping_data))
            self.next_ping(stream_id, event.ping_data[7] + 1)

    def head(self, stream_id, *fields, end=False):
        self.h2.send_headers(stream_id, [(":status", "200"), *fields], end_stream=end)

    def end(self, stream_id, data=b""):
        self.h2.send_data(stream_id, data, end_stream=True)
        self.open.discard(stream_id)

    def text(self, stream_id, value):
        self.head(stream_id)
        self.end(stream_id, str(value).encode())

    def send_padded(self, stream_id):
        """As far as the window goes; the rest when it opens."""
        pad = self.padded.pop(stream_id)
        while pad < 256 and self.h2.local_flow_control_window(stream_id) >= 100 + pad + 1:
            self.h2.send_data(stream_id, b"x" * 100, pad_length=pad)
            pad += 1
        if pad == 256:
            self.end(stream_id)
        else:
            self.padded[stream_id] = pad

    def next_ping(self, stream_id, number):
        self.h2.send_data(stream_id, b"x" * 1_000)
        if number == 10:
            self.end(stream_id)
        else:
            data = stream_id.to_bytes(7, "big") + bytes([number])
            self.pings[data] = stream_id
            self.h2.ping(data)

    def answer(self, stream_id):
        path = self.paths[stream_id]
        if path == "/padded":
            self.head(stream_id)
            self.padded[stream_id] = 0
            self.send_padded(stream_id)
        elif path == "/ping":
            self.head(stream_id)
            self.next_ping(stream_id, 0)
        elif path == "/goaway":
            self.text(stream_id, path)
            self.h2.close_connection(last_stream_id=stream_id)
            self.leaving = True
        elif path == "/goaway-before":
            # h2 closes itself when it has said GOAWAY; by hand it goes on.
            self.flush()
            goaway = (8).to_bytes(3, "big") + b"\x07\0\0\0\0\0" + stream_id.to_bytes(4, "big") + b"\0\0\0\0"
            self.sock.sendall(goaway)
            time.sleep(0.05)
            self.text(stream_id, path)
            self.leaving = True
        elif path == "/reset":
            self.head(stream_id, ("content-length", str(body_bytes)))
            self.h2.send_data(stream_id, b"x" * 10_000)
            self.h2.reset_stream(stream_id, h2.errors.ErrorCodes.INTERNAL_ERROR)
            self.open.discard(stream_id)
        elif path.startswith("/refused-once/"):
            with lock:
                first = path not in seen
                seen.add(path)
            if first:
                self.h2.reset_stream(stream_id, h2.errors.ErrorCodes.REFUSED_STREAM)
                self.open.discard(stream_id)
            else:
                self.text(stream_id, path)
        elif path == "/one-stream":
            self.h2.update_settings({h2.settings.SettingCodes.MAX_CONCURRENT_STREAMS: 1})
            self.text(stream_id, self.most)
            self.most = 0
        elif path.startswith("/slow"):
            self.flush()
            time.sleep(0.02)
            self.text(stream_id, self.most)
        elif path == "/shrink":
            self.h2.update_settings({h2.settings.SettingCodes.INITIAL_WINDOW_SIZE: 1_000})
            self.text(stream_id, self.uploads[stream_id])
        elif path == "/big-head":
            self.head(stream_id, *[(f"x-filler-{i}", "x" * 1_000) for i in range(12)])
            self.end(stream_id, b"big")
        elif path == "/hints":
            for i in range(2):
                self.h2.send_headers(stream_id, [(":status", "103"), ("link", f"</{i}>")])
            self.head(stream_id)
            self.h2.send_headers(stream_id, [("x-last", "z")], end_stream=True)
            self.open.discard(stream_id)
        elif path == "/last-byte":
            self.head(stream_id, ("content-length", "5"))
            self.h2.send_data(stream_id, b"hello")
            self.flush()
            time.sleep(0.02)
            self.end(stream_id)
        else:
            self.text(stream_id, self.uploads[stream_id])


def serve(sock):
    try:
        Connection(sock).run()
    except (OSError, h2.exceptions.ProtocolError) as error:
        if not isinstance(error, OSError):
            print(f"{type(error).__name__}: {error}", file=sys.stderr, flush=True)
    finally:
        sock.close()


def accept(listener):
    while True:
        sock, _ = listener.accept()
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        threading.Thread(target=serve, args=(sock,), daemon=True).start()


listener = socket.create_server(("127.0.0.1", 0))
print(listener.getsockname()[1], flush=True)
threading.Thread(target=accept, args=(listener,), daemon=True).start()
sys.stdin.read()
