"""A client of HTTP/2 on python3-h2 that does within the protocol what few do: python3 h2_client.py PORT

It asks the HTTP/2 test backend, and prints one line of JSON for each case: its name, and what went wrong or null.
"""

import json
import socket
import sys

import h2.config
import h2.connection
import h2.events
import h2.settings
import hyperframe.frame as frames

INITIAL_WINDOW_SIZE = h2.settings.SettingCodes.INITIAL_WINDOW_SIZE


class Client:
    def __init__(self, **settings):
        self.sock = socket.create_connection(("127.0.0.1", int(sys.argv[1])), timeout=10)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.h2 = h2.connection.H2Connection(h2.config.H2Configuration(header_encoding="utf-8"))
        self.h2.initiate_connection()
        if "window" in settings:
            self.h2.update_settings({INITIAL_WINDOW_SIZE: settings["window"]})
        self.flush()
        self.credit = settings.get("credit", True)
        self.bodies, self.heads, self.trailers, self.ended = {}, {}, {}, {}
        self.acks = []

    def flush(self):
        self.sock.sendall(self.h2.data_to_send())

    def turn(self):
        """Reads what comes next."""
        data = self.sock.recv(65_536)
        if not data:
            raise EOFError("the connection has ended")
        for event in self.h2.receive_data(data):
            stream_id = getattr(event, "stream_id", None)
            if isinstance(event, h2.events.ResponseReceived):
                self.heads[stream_id] = dict(event.headers)
            elif isinstance(event, h2.events.DataReceived):
                self.bodies[stream_id] = self.bodies.get(stream_id, b"") + event.data
                if self.credit and event.flow_controlled_length > 0:
                    self.h2.acknowledge_received_data(event.flow_controlled_length, stream_id)
            elif isinstance(event, h2.events.TrailersReceived):
                self.trailers[stream_id] = dict(event.headers)
            elif isinstance(event, h2.events.StreamEnded):
                self.ended[stream_id] = "ended"
            elif isinstance(event, h2.events.StreamReset):
                self.ended[stream_id] = f"reset {event.error_code}"
            elif isinstance(event, h2.events.PingAckReceived):
                self.acks.append(bytes(event.ping_data))
            elif isinstance(event, h2.events.ConnectionTerminated):
                raise EOFError(f"GOAWAY {event.error_code} {event.additional_data}")
        self.flush()

    def head(self, path, method="GET", *fields):
        port = sys.argv[1]
        pseudo = [(":method", method), (":scheme", "http"), (":path", path), (":authority", f"127.0.0.1:{port}")]
        return [*pseudo, *fields]

    def begin(self, path, method="GET", *fields, end=True):
        stream_id = self.h2.get_next_available_stream_id()
        self.h2.send_headers(stream_id, self.head(path, method, *fields), end_stream=end)
        return stream_id

    def until(self, condition):
        self.flush()
        while not condition():
            self.turn()

    def answer(self, stream_id):
        """The body of a stream, when it has ended well."""
        self.until(lambda: stream_id in self.ended)
        equal(self.ended[stream_id], "ended")
        equal(self.heads[stream_id][":status"], "200")
        return self.bodies.get(stream_id, b"")

    def upload(self, stream_id, data, piece, pad=None):
        for at in range(0, len(data), piece):
            part = data[at : at + piece]
            needed = len(part) + (0 if pad is None else pad(at) + 1)
            self.until(lambda: self.h2.local_flow_control_window(stream_id) >= needed)
            self.h2.send_data(stream_id, part, pad_length=None if pad is None else pad(at))
        self.h2.end_stream(stream_id)


def equal(actual, expected):
    if actual != expected:
        raise AssertionError(f"{str(actual)[:200]} is not {str(expected)[:200]}")


def uploaded(client, stream_id):
    return json.loads(client.answer(stream_id))["length"]


def padded_upload():
    client = Client()
    stream_id = client.begin("/hash", "POST", end=False)
    client.upload(stream_id, b"x" * 200_000, 1_000, pad=lambda at: at // 1_000 % 256)
    equal(uploaded(client, stream_id), 200_000)


def bytes_one_by_one():
    client = Client()
    stream_id = client.begin("/hash", "POST", end=False)
    client.upload(stream_id, b"x" * 500, 1)
    equal(uploaded(client, stream_id), 500)


def continuations():
    client = Client()
    stream_id = client.begin("/hello", "GET", ("x-long", "y" * 40))
    # h2 splits blocks of more than 16 KiB alone: the frame that it has made is taken apart.
    block = client.h2.data_to_send()[9:]
    first = frames.HeadersFrame(stream_id, block[:1], flags=["END_STREAM"])
    # Few of them: nghttp2 ends a connection after eight in a row.
    piece = len(block) // 5
    rest = [frames.ContinuationFrame(stream_id, block[at : at + piece]) for at in range(1, len(block), piece)]
    rest[-1].flags.add("END_HEADERS")
    client.sock.sendall(b"".join(one.serialize() for one in [first, *rest]))
    equal(b"y" * 40 in client.answer(stream_id), True)


def tiny_window():
    client = Client(window=10, credit=False)
    stream_id = client.begin("/bytes/500")
    client.until(lambda: stream_id in client.heads)
    for size in range(10, 501, 10):
        client.until(lambda: len(client.bodies.get(stream_id, b"")) >= size)
        equal(len(client.bodies[stream_id]), size)
        # nghttp2 says the end of a stream only when there is room, though it needs none.
        if stream_id not in client.ended:
            client.h2.increment_flow_control_window(10, stream_id)
    equal(len(client.answer(stream_id)), 500)


def window_that_opens_late():
    client = Client(window=0, credit=False)
    stream_id, other = client.begin("/bytes/50000"), client.begin("/reset?after=head&code=8")
    client.until(lambda: other in client.ended and stream_id in client.heads)
    equal(stream_id in client.bodies, False)
    client.h2.update_settings({INITIAL_WINDOW_SIZE: 60_000})
    equal(len(client.answer(stream_id)), 50_000)


def window_below_zero():
    client = Client(window=20_000, credit=False)
    stream_id = client.begin("/bytes/60000")
    client.until(lambda: len(client.bodies.get(stream_id, b"")) == 20_000)
    client.h2.update_settings({INITIAL_WINDOW_SIZE: 0})
    client.h2.increment_flow_control_window(19_000, stream_id)
    client.h2.ping(b"fence..1")
    client.until(lambda: client.acks)
    client.h2.increment_flow_control_window(2_000, stream_id)
    client.until(lambda: len(client.bodies[stream_id]) >= 21_000)
    equal(len(client.bodies[stream_id]), 21_000)
    client.h2.increment_flow_control_window(50_000, stream_id)
    equal(len(client.answer(stream_id)), 60_000)


def pings():
    client = Client()
    stream_id = client.begin("/drip?n=10&ms=5&size=100")
    sent = [b"ping" + i.to_bytes(4, "big") for i in range(20)]
    for data in sent:
        client.h2.ping(data)
    equal(len(client.answer(stream_id)), 1_000)
    equal(client.acks, sent)


def trailers_both_ways():
    client = Client()
    stream_id = client.begin("/trailers", "POST", ("trailer", "x-sent"), end=False)
    client.h2.send_data(stream_id, b"abc")
    client.h2.send_headers(stream_id, [("x-sent", "yes")], end_stream=True)
    equal(json.loads(client.answer(stream_id)), {"length": 3, "trailers": {"x-sent": "yes"}})
    equal(client.trailers[stream_id], {"x-length": "3", "x-end": "yes"})


def cancelled_streams():
    client = Client()
    for _ in range(50):
        stream_id = client.begin("/hang")
        client.flush()
        client.h2.reset_stream(stream_id, 8)
    equal(len(client.answer(client.begin("/bytes/10"))), 10)


def hundred_streams():
    client = Client()
    streams = [client.begin(f"/bytes/{1_000 + i}") for i in range(100)]
    equal([len(client.answer(one)) for one in streams], [1_000 + i for i in range(100)])


def crumbs():
    client = Client()
    stream_id = client.begin("/hello", "GET", ("cookie", "a=1"), ("cookie", "b=2"), ("cookie", "c=3"))
    equal(json.loads(client.answer(stream_id))["headers"]["cookie"], "a=1; b=2; c=3")


def priorities_and_unknown_frames():
    client = Client()
    one = client.begin("/slow?ms=20")
    client.h2.prioritize(one, weight=200, depends_on=0, exclusive=True)
    client.flush()
    unknown = (3).to_bytes(3, "big") + b"\xbe\xff" + (0).to_bytes(4, "big") + b"abc"
    setting = (6).to_bytes(3, "big") + b"\x04\x00" + (0).to_bytes(4, "big") + b"\xfa\xfa\0\0\0\1"
    client.sock.sendall(unknown + setting)
    # h2 knows nothing of that SETTINGS, and takes its acknowledgement for one of its own.
    equal(client.answer(one), b"slow: 20 ms\n")
    equal(len(client.answer(client.begin("/bytes/10"))), 10)


def body_without_end():
    client = Client()
    stream_id = client.begin("/hash", "POST", ("content-length", "5"), end=False)
    client.h2.send_data(stream_id, b"hello")
    client.flush()
    client.h2.ping(b"fence..1")
    client.until(lambda: client.acks)
    equal(stream_id in client.ended, False)
    client.h2.end_stream(stream_id)
    equal(uploaded(client, stream_id), 5)


CASES = [
    padded_upload, bytes_one_by_one, continuations, tiny_window, window_that_opens_late, window_below_zero, pings,
    trailers_both_ways, cancelled_streams, hundred_streams, crumbs, priorities_and_unknown_frames, body_without_end,
]  # fmt: skip

for case in CASES:
    problem = None
    try:
        case()
    except Exception as error:  # whatever it is, it is told
        problem = f"{type(error).__name__}: {error}"
    print(json.dumps({"name": case.__name__, "problem": problem}), flush=True)
