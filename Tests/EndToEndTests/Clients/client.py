"""A channels client made with the `websockets` package, driven by lines on standard input.

  connect URL            -> connected
  subscribe CHANNEL      -> subscribed
  publish CHANNEL COUNT  -> published COUNT SHA256   (then one more message, the text "end")
  collect                -> collected COUNT SHA256   (everything up to that text)

The hashes are over the raw JSON text of every payload in order, each followed by a line feed.
"""
import asyncio
import hashlib
import sys

import websockets


def payload(number):
    return '{ "from" :"python", "n": %d,"text":"caf\\u00e9 \u00fc \U0001f600 %s" , "f":[1.0, -0.5e3,null]}' % (
        number, "x" * (number % 97))


def raw_data(text):
    start = text.index(',"data":') + len(',"data":')
    return text[start:text.rindex(',"timestamp":"')]


async def collect(socket):
    digest = hashlib.sha256()
    count = 0
    while True:
        data = raw_data(await asyncio.wait_for(socket.recv(), 60))
        if data == '"end"':
            return count, digest.hexdigest()
        digest.update(data.encode() + b"\n")
        count += 1


async def publish(socket, channel, count):
    digest = hashlib.sha256()
    for number in range(count):
        text = payload(number)
        digest.update(text.encode() + b"\n")
        await socket.send('{"action":"publish","payload":%s,"channel":"%s"}' % (text, channel))
    await socket.send('{"action":"publish","payload":"end","channel":"%s"}' % channel)
    return count, digest.hexdigest()


async def main():
    socket = None
    loop = asyncio.get_running_loop()
    while True:
        words = (await loop.run_in_executor(None, sys.stdin.readline)).split()
        if not words:
            return
        if words[0] == "connect":
            if socket:
                await socket.close()
            socket = await websockets.connect(words[1], max_size=None, max_queue=None)
            assert '"connected"' in await socket.recv()
            answer = "connected"
        elif words[0] == "subscribe":
            await socket.send('{"action":"subscribe","channel":"%s"}' % words[1])
            assert '"subscribed"' in await socket.recv()
            answer = "subscribed"
        elif words[0] == "publish":
            answer = "published %d %s" % await publish(socket, words[1], int(words[2]))
        elif words[0] == "collect":
            answer = "collected %d %s" % await collect(socket)
        print(answer, flush=True)


asyncio.run(main())
