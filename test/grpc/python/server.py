"""sluice.test.v1.Echo by grpcio (gRPC's C core), for clients that ask for no behaviour: python3 server.py

Prints the port it listens on, and ends with its standard input. EchoRequest and EchoResponse have the text and the
payload under the same numbers, so what came goes back as it is.
"""

import sys
import time
from concurrent import futures

import grpc


def unary(message, context):
    metadata = dict(context.invocation_metadata())
    context.send_initial_metadata((("x-first", metadata.get("x-sent", "")),))
    context.set_trailing_metadata((("x-last-bin", b"\0\xff"),))
    if "x-status" in metadata:
        context.abort(grpc.StatusCode.ABORTED, "100 % — ünï")
    if "x-sleep" in metadata:
        time.sleep(float(metadata["x-sleep"]))
    return message


def client_stream(messages, context):
    count = sum(1 for _ in messages)
    return b"\x08" + bytes([count])


def server_stream(message, context):
    for _ in range(50):
        yield message


def bidi(messages, context):
    yield from messages


handlers = grpc.method_handlers_generic_handler(
    "sluice.test.v1.Echo",
    {
        "Unary": grpc.unary_unary_rpc_method_handler(unary),
        "ClientStream": grpc.stream_unary_rpc_method_handler(client_stream),
        "ServerStream": grpc.unary_stream_rpc_method_handler(server_stream),
        "Bidi": grpc.stream_stream_rpc_method_handler(bidi),
    },
)
options = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]
server = grpc.server(futures.ThreadPoolExecutor(16), options=options, compression=grpc.Compression.Gzip)
server.add_generic_rpc_handlers((handlers,))
print(server.add_insecure_port("127.0.0.1:0"), flush=True)
server.start()
sys.stdin.read()
server.stop(None)
