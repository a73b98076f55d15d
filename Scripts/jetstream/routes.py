"""The network between the nodes: each node reaches each other one through a port of this process, which can go silent.

    routes.py STATE-FILE

A node that is cut off can send and receive, but nothing arrives: no byte, no end of a connection, as when a cable is
pulled. When it is healed, the connections that lost something are broken off, and the nodes make new ones.

This process ends when it is told to, or when the state file is gone or names another process in its place.
"""

import asyncio
import json
import os
import socket
import sys


class Network:
    def __init__(self):
        self.cut = set()
        self.ends = set()

    def is_cut(self, link):
        return link[0] in self.cut or link[1] in self.cut

    def set_cut(self, nodes):
        self.cut = set(nodes)
        for end in list(self.ends):
            if end.lost_something and not self.is_cut(end.link):
                end.abort()


class End(asyncio.Protocol):
    """One of the two connections that make a link; what comes in here goes out at the other."""

    def __init__(self, network, link, target=None, other=None):
        self.network, self.link, self.target, self.other = network, link, target, other
        self.transport = None
        self.lost_something = False

    def connection_made(self, transport):
        self.transport = transport
        self.network.ends.add(self)
        transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if self.target is None:
            return
        if self.network.is_cut(self.link):
            self.lost_something = True
            return
        transport.pause_reading()
        self.connecting = asyncio.ensure_future(self.connect())

    async def connect(self):
        loop = asyncio.get_running_loop()
        try:
            _, self.other = await loop.create_connection(
                lambda: End(self.network, self.link, other=self), "127.0.0.1", self.target)
        except OSError:
            self.transport.close()
            return
        if self.transport.is_closing():
            self.other.transport.close()
        else:
            self.transport.resume_reading()

    def data_received(self, data):
        if self.network.is_cut(self.link) or self.other is None:
            self.lose()
        else:
            self.other.transport.write(data)

    def lose(self):
        self.lost_something = True
        if self.other is not None:
            self.other.lost_something = True

    def eof_received(self):
        # The other side must not see it now; `connection_lost` decides.
        return False

    def connection_lost(self, error):
        self.network.ends.discard(self)
        if self.network.is_cut(self.link):
            self.lose()
        elif self.other is not None:
            self.other.transport.close()

    def pause_writing(self):
        if self.other is not None:
            self.other.transport.pause_reading()

    def resume_writing(self):
        if self.other is not None and not self.other.transport.is_closing():
            self.other.transport.resume_reading()

    def abort(self):
        self.transport.abort()


async def serve_commands(network, reader, writer):
    """A line is the list of all nodes that are to be cut off; the answer says that they are."""
    try:
        network.set_cut(json.loads(await reader.readline()))
        writer.write(b"ok\n")
        await writer.drain()
    except (OSError, ValueError, TypeError):
        pass  # Whoever asked sees the end of the connection in place of an answer.
    finally:
        writer.close()


def is_wanted(path):
    try:
        with open(path) as file:
            return json.load(file)["routes"]["process"]["pid"] == os.getpid()
    except (OSError, KeyError, TypeError):
        return False


async def main(path):
    with open(path) as file:
        state = json.load(file)
    network, loop = Network(), asyncio.get_running_loop()
    network.set_cut(state["cut"])
    servers = []
    for link in state["routes"]["links"]:
        pair, target = (link["from"], link["to"]), state["nodes"][link["to"] - 1]["peers"]
        servers.append(await loop.create_server(
            lambda pair=pair, target=target: End(network, pair, target), "127.0.0.1", link["port"]))
    # The last, so that whoever is answered knows that the others listen.
    servers.append(await asyncio.start_server(
        lambda reader, writer: serve_commands(network, reader, writer), "127.0.0.1", state["routes"]["control"]))
    # Whoever began this process writes its number down at once.
    await asyncio.sleep(5)
    while is_wanted(path):
        await asyncio.sleep(1)


def tell(port, nodes, seconds=5):
    """Has the process that listens on `port` cut off these nodes and no others."""
    with socket.create_connection(("127.0.0.1", port), timeout=seconds) as connection:
        connection.sendall(json.dumps(sorted(nodes)).encode() + b"\n")
        if connection.makefile().readline() != "ok\n":
            raise OSError("no answer")


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
