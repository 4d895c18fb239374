"""A gRPC client that is neither tonic nor ours: grpcio, with signatures by Python's own hmac.

Needs the package `grpcio` and nothing generated. Prints a line of JSON for each call: its name, the status, the trailing metadata and the message. Before the last two it waits for a line on its input.

    python client.py ADDRESS
"""

import hashlib
import hmac
import json
import sys
import time
from base64 import b64encode

import grpc

KEY = bytes(range(1, 33))
NOTIFY, WATCH, CHAT = ("/hooks.Notify/" + method for method in ("Notify", "Watch", "Chat"))


def string(text):
    """google.protobuf.StringValue."""
    raw, size = text.encode(), b""
    length = len(raw)
    while length > 127:
        size += bytes([length & 127 | 128])
        length >>= 7
    return b"\x0a" + size + bytes([length]) + raw


def signed(message, path=NOTIFY, id="msg_py", age=0, key=KEY):
    timestamp = str(int(time.time()) - age)
    body = b"\0" + len(message).to_bytes(4, "big") + message
    content = f"{id}.{timestamp}.{path}\n".encode() + body
    signature = b64encode(hmac.new(key, content, hashlib.sha256).digest()).decode()
    return [("webhook-id", id), ("webhook-timestamp", timestamp), ("webhook-signature", "v1," + signature)]


def told(name, call):
    """What became of a call."""
    message = None
    try:
        answer = call()
        message = answer.hex() if isinstance(answer, bytes) else [part.hex() for part in answer]
        code, details, trailing = "OK", "", []
    except grpc.RpcError as error:
        code, details, trailing = error.code().name, error.details(), error.trailing_metadata() or []
    metadata = {key: value for key, value in trailing if isinstance(value, str)}
    print(json.dumps({"name": name, "code": code, "details": details, "metadata": metadata, "message": message}), flush=True)


def main(address):
    retry = {"maxAttempts": 3, "initialBackoff": "60s", "maxBackoff": "60s", "backoffMultiplier": 1,
             "retryableStatusCodes": ["UNAVAILABLE", "RESOURCE_EXHAUSTED"]}
    config = json.dumps({"methodConfig": [{"name": [{"service": "hooks.Notify"}], "retryPolicy": retry}]})
    by_itself = grpc.insecure_channel(address, [("grpc.service_config", config)])
    channel = grpc.insecure_channel(address, [("grpc.enable_retries", 0)])
    unary = channel.unary_unary(NOTIFY)
    ok = string("ok")

    told("the store failed", lambda: unary(ok, metadata=signed(ok, id="msg_retried")))
    told("tried again by itself", lambda: by_itself.unary_unary(NOTIFY)(ok, metadata=signed(ok, id="msg_again"), timeout=30))
    told("genuine", lambda: unary(ok, metadata=signed(ok)))
    told("replayed", lambda: unary(ok, metadata=signed(ok)))
    told("forged", lambda: unary(string("no"), metadata=signed(ok, id="msg_forged")))
    told("another key", lambda: unary(ok, metadata=signed(ok, id="msg_key", key=bytes(32))))
    told("stale", lambda: unary(ok, metadata=signed(ok, id="msg_stale", age=301)))
    told("unsigned", lambda: unary(ok))
    binary = [(key + "-bin", value.encode()) for key, value in signed(ok, id="msg_bin")]
    told("in binary metadata", lambda: unary(ok, metadata=binary))
    large = string("x" * 65536)
    told("oversized", lambda: by_itself.unary_unary(NOTIFY)(large, metadata=signed(large, id="msg_large"), timeout=30))
    told("streamed answer", lambda: list(channel.unary_stream(WATCH)(ok, metadata=signed(ok, WATCH, "msg_watch"))))
    late = string("fail-late")
    told("failed in the trailers", lambda: list(channel.unary_stream(WATCH)(late, metadata=signed(late, WATCH, "msg_late"))))
    told("failed", lambda: unary(string("fail"), metadata=signed(string("fail"), id="msg_fail")))
    told("tried again after it failed", lambda: unary(ok, metadata=signed(ok, id="msg_fail")))
    told("client streams", lambda: channel.stream_unary(CHAT)(iter([ok, ok]), metadata=signed(ok, CHAT, "msg_stream")))
    told("both stream", lambda: list(channel.stream_stream(CHAT)(iter([ok, ok]), metadata=signed(ok, CHAT, "msg_chat"))))
    wait = string("wait")
    first = unary.future(wait, metadata=signed(wait, id="msg_wait"))
    # Until a line says that the handler has it.
    sys.stdin.readline()
    told("in progress", lambda: unary(ok, metadata=signed(ok, id="msg_wait")))
    told("handled meanwhile", first.result)


main(sys.argv[1])
