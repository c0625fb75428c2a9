"""An AI service as OpenAI's chat completions have it, with every bad habit that the tests need.

Prints its port; ends with its standard input. What it does stands in the last message of a request:
  stream N [MS]  N words, MS milliseconds apart     live     words until somebody asks for /cut, then it breaks off; see /mend
  nodone N       ends without [DONE]                quiet N  ends without saying that the model has finished
  cut N          breaks off after N words           hang N   is silent after N words
  error N        reports an error after N words     never    does not answer
  bytes          a stream in pieces of one byte     long     an event that never ends
  flood          a word of 4 KB, again and again    whole    an answer that is not streamed
  status N       an error status                    garbage, html, nojson, notutf8  something else
  raw TEXT       a stream of just that text         rawjson TEXT  an answer that is not streamed, just that text
"""
import asyncio
import json
import sys

stats = {"open": 0, "streams": 0, "streamsMax": 0, "requests": 0, "gone": 0, "paths": [], "bodies": [], "headers": []}
cut = asyncio.Event()
words_of_cut_streams = 3
own_paths = ("/stats", "/cut", "/mend")


def event(content=None, finish=None):
    delta = {} if content is None else {"content": content}
    choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
    return b"data: " + json.dumps({"id": "c", "object": "chat.completion.chunk", "choices": [choice]}).encode() + b"\n\n"


class Gone(Exception):
    pass


class Stream:
    """A chunked answer whose peer can hang up at any time."""

    def __init__(self, reader, writer):
        self.writer = writer
        self.peer = asyncio.ensure_future(reader.read(1))
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream; charset=utf-8\r\nTransfer-Encoding: chunked\r\n")
        writer.write(b"Connection: close\r\n\r\n")

    async def send(self, data):
        if self.peer.done():
            raise Gone
        self.writer.write(b"%x\r\n%s\r\n" % (len(data), data))
        await self.writer.drain()

    async def pause(self, milliseconds, until=None):
        waits = [self.peer] + ([asyncio.ensure_future(until.wait())] if until else [])
        await asyncio.wait(waits, timeout=milliseconds / 1000, return_when=asyncio.FIRST_COMPLETED)
        if until:
            waits[1].cancel()
        if self.peer.done():
            raise Gone

    def end(self):
        self.writer.write(b"0\r\n\r\n")


async def stream(reader, writer, command, arguments):
    out = Stream(reader, writer)
    if command == "raw":
        await out.send(" ".join(arguments).encode())
        out.end()
        return
    count = int(arguments[0]) if arguments else 0
    await out.send(b": welcome\n\n" + event(""))
    if command == "live":
        number = 0
        while not cut.is_set() or number < words_of_cut_streams:
            await out.send(event(f"{number} "))
            number += 1
            await out.pause(100, until=None if cut.is_set() else cut)
        if len(stats["bodies"]) % 2:  # some have a piece of an event on their way
            await out.send(event("never whole ")[:30])
        return
    if command == "bytes":
        text = b"\xef\xbb\xbf: \xc3\xa9\r\nevent: x\r\ndata: {\"choices\":[{\"delta\":\r\ndata: {\"content\":\"a \\ud83d\\ude00 \xc3\xa9\"}}]}\r\n\r\n"
        text += event("b").replace(b"\n", b"\r") + event(None, "stop") + b"data: {\"choices\":[],\"usage\":{}}\n\ndata: [DONE]\n\n"
        for byte in text:
            await out.send(bytes([byte]))
        out.end()
        return
    if command == "long":
        while True:
            await out.send(b"data: " + b"x" * 65536 + b"\n")
    if command == "flood":
        while True:
            await out.send(event("x" * 4096))
    for number in range(count):
        await out.send(event(f"{number} "))
        if len(arguments) > 1:
            await out.pause(int(arguments[1]))
    if command == "cut":
        return
    if command == "hang":
        await out.pause(60_000)
    if command == "error":
        await out.send(b'data: {"error":{"message":"internal detail","type":"server_error"}}\n\n')
        await out.pause(60_000)
    if command in ("stream", "nodone"):
        await out.send(event(None, "stop"))
    if command == "stream":
        await out.send(b"data: [DONE]\n\n")
    if command == "nojson":
        await out.send(b"data: {\"choices\":[{\n\n")
    if command == "notutf8":
        await out.send(event("?").replace(b"?", b"\xff"))
    out.end()


def answer(writer, status, body, content_type="application/json"):
    fields = f"HTTP/1.1 {status} X\r\nContent-Type: {content_type}\r\nContent-Length: {len(body)}\r\n"
    writer.write(fields.encode() + b"Connection: close\r\n\r\n" + body)


async def respond(reader, writer, path, body):
    if path == "/stats":
        answer(writer, 200, json.dumps(stats).encode())
        return
    if path == "/cut":
        cut.set()
        answer(writer, 200, b"{}")
        return
    if path == "/mend":
        cut.clear()
        answer(writer, 200, b"{}")
        return
    command, *arguments = json.loads(body)["messages"][-1]["content"].split(" ")
    if command == "status":
        answer(writer, int(arguments[0]), b'{"error":{"message":"internal detail"}}')
    elif command == "garbage":
        writer.write(b"SSH-2.0-OpenSSH_9.2\r\n\r\n")
    elif command == "html":
        answer(writer, 200, b"<html>internal detail</html>", "text/html")
    elif command == "whole":
        message = {"role": "assistant", "content": "all at once"}
        answer(writer, 200, json.dumps({"choices": [{"message": message, "finish_reason": "stop"}]}).encode())
    elif command == "rawjson":
        answer(writer, 200, " ".join(arguments).encode())
    elif command == "never":
        if await reader.read(1) == b"":
            raise Gone
    else:
        stats["streams"] += 1
        stats["streamsMax"] = max(stats["streamsMax"], stats["streams"])
        try:
            await stream(reader, writer, command, arguments)
        finally:
            stats["streams"] -= 1


async def serve(reader, writer):
    path = ""
    try:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        path = head[0].split(" ")[1]
        fields = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:] if line)}
        body = await reader.readexactly(int(fields.get("content-length", 0)))
        if path not in own_paths:
            stats["open"] += 1
            stats["requests"] += 1
            stats["paths"].append(path)
            stats["bodies"].append(body.decode())
            stats["headers"].append(fields)
        await respond(reader, writer, path, body)
        await writer.drain()
    except (Gone, ConnectionError):
        stats["gone"] += 1
    except asyncio.IncompleteReadError:
        path = ""
    finally:
        if path not in ("", *own_paths):
            stats["open"] -= 1
        writer.close()


async def main():
    server = await asyncio.start_server(serve, "127.0.0.1", 0, backlog=1024)
    print(server.sockets[0].getsockname()[1], flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)


asyncio.run(main())
