"""Socket.IO clients made with the `python-socketio` package, driven by lines on standard input.

  connect KIND WAY URL TOKEN -> connected TRANSPORT   KIND sync|async, WAY websocket|polling|upgrade
  events                     -> events ok             every built-in event once
  binary BYTES               -> binary ok             that many bytes there and back
  disconnect                 -> disconnected
  race KIND URL TOKEN COUNT  -> race ok               that many messages in order, from the upgrade on
"""
import asyncio
import hashlib
import json
import queue
import sys
import threading

import socketio

PATIENCE = 60
TRANSPORTS = {"websocket": ["websocket"], "polling": ["polling"], "upgrade": ["polling", "websocket"]}
EVENTS = ["connected", "pong", "status_response", "echo_response", "info_response", "message_received",
          "ai:response:start", "ai:response:chunk", "ai:response:complete", "ai:response:error"]


class Sync:
    """The blocking client."""

    def __init__(self):
        self.received = queue.Queue()
        self.client = socketio.Client(reconnection=False)
        for event in EVENTS:
            self.client.on(event, lambda *data, event=event: self.received.put((event, data)))

    def connect(self, url, token, way):
        self.client.connect(url, auth={"token": token}, transports=TRANSPORTS[way], wait_timeout=PATIENCE)

    def emit(self, event, *data):
        self.client.emit(event, *data)

    def transport(self):
        return self.client.transport()

    def disconnect(self):
        self.client.disconnect()


class Async:
    """The asyncio client, on a loop of its own thread."""

    def __init__(self):
        self.received = queue.Queue()
        self.loop = asyncio.new_event_loop()
        threading.Thread(target=self.loop.run_forever, daemon=True).start()
        self.run(self.make())

    def run(self, work):
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(PATIENCE)

    async def make(self):
        self.client = socketio.AsyncClient(reconnection=False)
        for event in EVENTS:
            self.client.on(event, lambda *data, event=event: self.received.put((event, data)))

    def connect(self, url, token, way):
        self.run(self.client.connect(url, auth={"token": token}, transports=TRANSPORTS[way], wait_timeout=PATIENCE))

    def emit(self, event, *data):
        self.run(self.client.emit(event, *data))

    def transport(self):
        return self.client.transport()

    def disconnect(self):
        self.run(self.client.disconnect())


KINDS = {"sync": Sync, "async": Async}


def expect(client, event):
    name, data = client.received.get(timeout=PATIENCE)
    assert name == event, (name, event)
    return data[0]


def connect(kind, way, url, token):
    client = KINDS[kind]()
    client.connect(url, token, way)
    welcome = expect(client, "connected")
    assert welcome["isLoggedIn"] is False and welcome["socketId"] == client.client.get_sid(), welcome
    return client


def events(client):
    client.emit("ping")
    assert expect(client, "pong")["timestamp"].endswith("Z")
    client.emit("status")
    assert expect(client, "status_response")["server"]["status"] == "running"
    data = {"text": "caf\u00e9 \U0001f600", "list": [1, None, {"a": 0.5}]}
    client.emit("echo", data)
    assert expect(client, "echo_response")["received"] == data
    client.emit("info")
    assert expect(client, "info_response")["websocket"]["transport"] == client.transport()
    client.emit("message", data)
    assert expect(client, "message_received")["data"] == data
    client.emit("unknown", data)
    client.emit("ai:chat", {"message": "hello"})
    # The blocking client may hand two events over in the wrong order.
    text, whole, started = "", None, False
    while whole is None or not started or len(text) < len(whole):
        name, (part,) = client.received.get(timeout=PATIENCE)
        if name == "ai:response:complete":
            whole = part["fullResponse"]
        elif name == "ai:response:start":
            started = True
        else:
            assert name == "ai:response:chunk", name
            text += part["chunk"]
    assert sorted(text) == sorted(whole)


def binary(client, count):
    data = b"".join(hashlib.sha256(number.to_bytes(8, "big")).digest() for number in range(count // 32 + 1))[:count]
    client.emit("echo", {"file": data, "name": "x"})
    received = expect(client, "echo_response")["received"]
    assert received["name"] == "x" and received["file"] == data, len(received["file"])


def watch(engine, arrived):
    """Notes the numbers that are echoed in the order of their packets."""
    receive = engine._receive_packet

    def note(packet):
        if isinstance(packet.data, str) and packet.data.startswith('2["echo_response"'):
            arrived.append(json.loads(packet.data[1:])[1]["received"])
        return receive(packet)
    engine._receive_packet = note


def race(kind, url, token, count):
    """The client goes over to its WebSocket inside `connect`, and sends what it has for the namespace behind that."""
    client = KINDS[kind]()
    arrived = []
    watch(client.client.eio, arrived)
    client.connect(url, token, "upgrade")
    expect(client, "connected")
    for number in range(count):
        client.emit("echo", number)
    # The blocking client hands each message to a thread of its own, so only the packets have an order.
    handed = sorted(expect(client, "echo_response")["received"] for _ in range(count))
    assert handed == list(range(count))
    assert arrived == handed, arrived
    assert client.transport() == "websocket"
    client.disconnect()


def main():
    client = None
    for line in sys.stdin:
        words = line.split()
        if words[0] == "connect":
            client = connect(*words[1:])
            answer = "connected " + client.transport()
        elif words[0] == "events":
            events(client)
            answer = "events ok"
        elif words[0] == "binary":
            binary(client, int(words[1]))
            answer = "binary ok"
        elif words[0] == "disconnect":
            client.disconnect()
            answer = "disconnected"
        elif words[0] == "race":
            race(words[1], words[2], words[3], int(words[4]))
            answer = "race ok"
        print(answer, flush=True)


main()
