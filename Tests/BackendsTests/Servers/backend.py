"""A back end with every bad habit that the tests need. Prints its port; obeys lines on standard input; ends with it.

usage: backend.py [open|late|deaf|tls CERTIFICATE KEY]
  open  listens at once      late  has its port, refuses connections until it reads "listen"
  deaf  has a full backlog and accepts nothing
"""
import asyncio
import json
import socket
import ssl
import sys

stats = {"connections": 0, "requests": 0, "gone": 0, "floodSent": 0, "paths": [], "bodies": [], "headers": []}
gate = asyncio.Event()


async def head(reader):
    lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    method, path, _ = lines[0].split(" ")
    fields = [line.split(":", 1) for line in lines[1:] if line]
    return method, path, {name.lower(): value.strip() for name, value in fields}


def answer(writer, status, body=b"", content_type="application/json", extra=""):
    kind = f"Content-Type: {content_type}\r\n" if content_type else ""
    size = "" if status == 204 else f"Content-Length: {len(body)}\r\n"
    writer.write(f"HTTP/1.1 {status} X\r\n{kind}{size}{extra}\r\n".encode() + body)


def chunked(writer, content_type):
    writer.write(f"HTTP/1.1 200 OK\r\nContent-Type: {content_type}\r\nTransfer-Encoding: chunked\r\n\r\n".encode())


def chunk(writer, data):
    writer.write(b"%x\r\n%s\r\n" % (len(data), data))


async def until_gone(reader, seconds):
    """Waits; counts it when the peer hangs up meanwhile."""
    try:
        if await asyncio.wait_for(reader.read(1), seconds) == b"":
            stats["gone"] += 1
    except asyncio.TimeoutError:
        pass


async def respond(reader, writer, method, path, fields, body):
    """True when the connection can be used again."""
    name, _, argument = path[1:].partition("/")
    if name == "echo":
        answer(writer, 200, json.dumps({"method": method, "headers": fields, "body": body.decode()}).encode())
    elif name == "mirror":
        answer(writer, 200, body, fields.get("content-type"))
    elif name == "reply":  # reply/<type>/<body in hexadecimal>
        kind, data = argument.split("/")
        types = {"json": "application/json; charset=utf-8", "ndjson": "application/x-ndjson", "text": "text/plain"}
        answer(writer, 200, bytes.fromhex(data), types.get(kind))
    elif name == "stats":
        answer(writer, 200, json.dumps(stats).encode())
    elif name == "status":
        answer(writer, int(argument), b"" if argument == "204" else b'{"status":%s}' % argument.encode())
    elif name == "redirect":
        answer(writer, 302, b"", None, "Location: /echo\r\n")
    elif name == "interim":
        writer.write(b"HTTP/1.1 103 Early Hints\r\nContent-Type: text/early\r\n\r\n")
        answer(writer, 200, b"{}")
    elif name == "slow":
        await until_gone(reader, float(argument or 30))
        return False
    elif name == "lines":  # lines/<count>/<milliseconds between them>
        count, pause = argument.split("/")
        chunked(writer, "application/x-ndjson")
        for index in range(int(count)):
            if index:
                await asyncio.sleep(int(pause) / 1000)
            chunk(writer, b'{"line":%d}\n' % index)
            await writer.drain()
        chunk(writer, b"")
    elif name == "gate":  # one line now, one after somebody asked for /open
        chunked(writer, "application/x-ndjson")
        chunk(writer, b'{"line":0}\n')
        await writer.drain()
        await gate.wait()
        chunk(writer, b'{"line":1}\n')
        chunk(writer, b"")
    elif name == "open":
        gate.set()
        answer(writer, 200)
    elif name == "breakoff":
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/x-ndjson\r\nContent-Length: 1000\r\n\r\n{}\n")
        await writer.drain()
        return False
    elif name == "hangup":  # takes the request and says nothing
        return False
    elif name == "garbage":
        writer.write(b"SSH-2.0-OpenSSH_9.2\r\n\r\n")
        return False
    elif name == "headers":
        writer.write(b"HTTP/1.1 200 OK\r\n" + b"".join(b"X-%d: %s\r\n" % (i, b"y" * 1000) for i in range(200)) + b"\r\n")
        return False
    elif name == "long":  # announces its length
        answer(writer, 200, b"x" * int(argument))
    elif name == "flood":  # does not announce it
        chunked(writer, "application/octet-stream")
        for _ in range(int(argument) // 65536):
            chunk(writer, b"z" * 65536)
            await writer.drain()
            stats["floodSent"] += 65536
        chunk(writer, b"")
    else:
        answer(writer, 404)
    return True


async def serve(reader, writer):
    stats["connections"] += 1
    try:
        while True:
            method, path, fields = await head(reader)
            body = await reader.readexactly(int(fields.get("content-length", 0)))
            if path != "/stats":
                stats["requests"] += 1
                stats["paths"].append(path)
                stats["bodies"].append(body.decode())
                stats["headers"].append(fields)
            again = await respond(reader, writer, method, path, fields, body)
            await writer.drain()
            if not again:
                break
    except (asyncio.IncompleteReadError, asyncio.CancelledError, ConnectionError):
        pass
    finally:
        writer.close()


async def main():
    mode = sys.argv[1] if len(sys.argv) > 1 else "open"
    plain = socket.socket()
    plain.bind(("127.0.0.1", 0))
    # The system adds a little to a backlog, so that only connections of its own tell when it is full.
    held = []
    if mode == "deaf":
        plain.listen(0)
        for _ in range(8):
            client = socket.socket()
            client.setblocking(False)
            client.connect_ex(plain.getsockname())
            held.append(client)
        await asyncio.sleep(0.2)
    context = None
    if mode == "tls":
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(sys.argv[2], sys.argv[3])
    if mode in ("open", "tls"):
        await asyncio.start_server(serve, sock=plain, ssl=context, backlog=1024)
    print(plain.getsockname()[1], flush=True)
    while line := await asyncio.to_thread(sys.stdin.readline):
        if line.strip() == "listen":
            await asyncio.start_server(serve, sock=plain, backlog=1024)


asyncio.run(main())
