"""Calls of sluice.test.v1.Echo by grpcio (gRPC's C core): python3 client.py ADDRESS

Prints one line of JSON for each case: its name, and what went wrong or null. Messages are written by hand, so that
nothing but grpcio is needed.
"""

import json
import queue
import sys
import threading

import grpc

SERVICE = "/sluice.test.v1.Echo/"


def varint(value):
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    out.append(value)
    return bytes(out)


def field(number, value):
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    if isinstance(value, str):
        value = value.encode()
    return varint(number << 3 | 2) + varint(len(value)) + value


def request(text="", payload=b"", **behaviour):
    numbers = {"delay_ms": 1, "responses": 2, "status": 3, "status_message": 4, "fail_after": 5, "response_bytes": 8}
    inner = b"".join(field(numbers[name], value) for name, value in behaviour.items())
    return field(1, text) + field(2, payload) + field(3, inner)


def fields(message):
    """The fields of a message; of a repeated one the last."""
    found, at = {}, 0

    def number():
        nonlocal at
        value = shift = 0
        while True:
            byte = message[at]
            at += 1
            value |= (byte & 127) << shift
            if byte < 128:
                return value
            shift += 7

    while at < len(message):
        key = number()
        if key & 7 == 0:
            found[key >> 3] = number()
        else:
            size = number()
            found[key >> 3] = message[at : at + size]
            at += size
    return found


class Echo:
    def __init__(self, channel):
        self.unary = channel.unary_unary(SERVICE + "Unary")
        self.up = channel.stream_unary(SERVICE + "ClientStream")
        self.down = channel.unary_stream(SERVICE + "ServerStream")
        self.both = channel.stream_stream(SERVICE + "Bidi")


def equal(actual, expected):
    if actual != expected:
        raise AssertionError(f"{str(actual)[:200]} is not {str(expected)[:200]}")


def unary(echo):
    equal(fields(echo.unary(request("hé", b"\0\xff"), timeout=10))[1], "hé".encode())


def client_stream(echo):
    answer = fields(echo.up(iter([request(payload=b"x" * 50_000)] * 20), timeout=10))
    equal([answer[1], answer[2]], [20, 1_000_000])


def server_stream(echo):
    answers = list(echo.down(request("a", responses=100, response_bytes=20_000), timeout=10))
    equal([len(fields(one)[2]) for one in answers], [20_000] * 100)
    equal([fields(one).get(4, 0) for one in answers], list(range(100)))


def bidi(echo):
    sent = queue.Queue()
    answers = echo.both(iter(sent.get, None), timeout=10)
    for i in range(20):
        sent.put(request(str(i)))
        equal(fields(next(answers))[1], str(i).encode())
    sent.put(None)
    equal(list(answers), [])
    equal(answers.code(), grpc.StatusCode.OK)


def large(echo):
    payload = bytes(range(256)) * 40_960
    equal(fields(echo.unary(request(payload=payload), timeout=30))[2] == payload, True)


def compressed(echo):
    payload = b"again " * 100_000
    answer = echo.unary(request(payload=payload), timeout=10, compression=grpc.Compression.Gzip)
    equal(fields(answer)[2] == payload, True)


def metadata(echo):
    sent = (("x-text", "a b"), ("x-any-bin", bytes(range(256))))
    # headers (9), trailers (10): a Metadata of key (1) and values (2)
    back = field(9, field(1, "x-first-bin") + field(2, b"\0\xff")) + field(10, field(1, "x-last") + field(2, "z"))
    message = field(3, back + field(11, 1))
    answer, call = echo.unary.with_call(message, metadata=sent, timeout=10)
    equal(dict(call.initial_metadata())["x-first-bin"], b"\0\xff")
    equal(dict(call.trailing_metadata())["x-last"], "z")
    equal(bytes(range(256)) in answer and b"a b" in answer, True)


def failed(call):
    try:
        call()
    except grpc.RpcError as error:
        return [error.code(), error.details()]
    raise AssertionError("it has not failed")


def status(echo):
    message = "100 % — ünï\n😈"
    outcome = failed(lambda: echo.unary(request(status=9, status_message=message), timeout=10))
    equal(outcome, [grpc.StatusCode.FAILED_PRECONDITION, message])
    outcome = failed(lambda: list(echo.down(request(responses=5, status=10, fail_after=2), timeout=10)))
    equal(outcome[0], grpc.StatusCode.ABORTED)


def deadline(echo):
    outcome = failed(lambda: echo.unary(request(), timeout=0.1, metadata=(("x-misbehave", "hang"),)))
    equal(outcome[0], grpc.StatusCode.DEADLINE_EXCEEDED)


def cancel(echo):
    answers = echo.down(request(responses=1_000, delay_ms=5))
    next(answers)
    answers.cancel()
    outcome = failed(lambda: list(answers))
    equal(outcome[0], grpc.StatusCode.CANCELLED)


def slow_reader(echo):
    answers = echo.down(request(responses=200, response_bytes=100_000), timeout=30)
    threading.Event().wait(0.2)
    equal(sum(len(fields(one)[2]) for one in answers), 20_000_000)


def concurrent(echo):
    calls = [echo.unary.future(request(str(i), delay_ms=50), timeout=20) for i in range(300)]
    equal([fields(call.result())[1] for call in calls], [str(i).encode() for i in range(300)])


CASES = [
    unary, client_stream, server_stream, bidi, large, compressed, metadata, status, deadline, cancel, slow_reader,
    concurrent,
]  # fmt: skip


def main():
    options = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]
    with grpc.insecure_channel(sys.argv[1], options=options) as channel:
        for case in CASES:
            problem = None
            try:
                case(Echo(channel))
            except Exception as error:  # whatever it is, it is told
                problem = f"{type(error).__name__}: {error}"
            print(json.dumps({"name": case.__name__, "problem": problem}), flush=True)


main()
