"""A cluster in a folder: its nodes, the network between them, and what can be done to both.

What there is stands in DIR/cluster.json. A command that changes it holds DIR/cluster.lock, and writes each step down at
once. Each node has a folder with its configuration, what its server said, and its data, all of which stay when the cluster
is stopped.
"""

import contextlib
import fcntl
import json
import os
import random
import signal
import socket
import sys
import time
from pathlib import Path

import health
import processes
import routes as network
from failure import Failure, misuse

SECONDS_UNTIL_HEALTHY = 60
SECONDS_UNTIL_ENDED = 10


@contextlib.contextmanager
def held(directory):
    """The cluster in the directory, with nobody else changing it meanwhile."""
    with open(directory / "cluster.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield Cluster(directory)


class Cluster:
    def __init__(self, directory):
        self.directory = directory
        self.file = directory / "cluster.json"
        try:
            self.state = json.loads(self.file.read_text()) if self.file.exists() else None
        except ValueError:
            raise Failure(f"{self.file} is damaged: take another directory") from None

    @property
    def nodes(self):
        return self.state["nodes"]

    def node(self, number):
        if not 1 <= number <= len(self.nodes):
            raise misuse(f"there is no node {number}: the nodes of {self.directory} are 1 to {len(self.nodes)}")
        return self.nodes[number - 1]

    def chosen(self, number):
        """The node of this number, or all of them."""
        return self.nodes if number is None else [self.node(number)]

    def urls(self):
        return ",".join(f"nats://127.0.0.1:{node['client']}" for node in self.nodes)

    def all_processes(self):
        return [node["process"] for node in self.nodes] + ([self.state["routes"]["process"]] if self.state["routes"] else [])

    def is_up(self):
        return self.state is not None and any(map(processes.runs, self.all_processes()))

    def need(self):
        if self.state is None:
            raise Failure(f"there is no cluster in {self.directory}: start one with: cluster start {self.directory}")

    def need_up(self):
        self.need()
        if not self.is_up():
            raise Failure(f"the cluster in {self.directory} does not run: start it with: cluster start {self.directory}")

    def need_routes(self):
        if self.state["routes"] is None:
            raise Failure(f"the nodes of {self.directory} cannot be cut off from each other: "
                          "start a cluster of two nodes or more, without --direct")

    def save(self):
        # As a whole or not at all: a command that is killed leaves what the next one can read.
        beside = self.file.with_suffix(".new")
        beside.write_text(json.dumps(self.state, indent=2) + "\n")
        beside.replace(self.file)

    # What can be done

    def start(self, program, count, sync, direct, include):
        if self.is_up():
            raise Failure(f"a cluster runs in {self.directory} already: stop it first with: cluster stop {self.directory}")
        is_new = self.state is None
        if is_new:
            self.state = _drawn(count, direct)
        elif (count or len(self.nodes)) != len(self.nodes):
            raise misuse(f"{self.directory} holds a cluster of {len(self.nodes)} nodes, not {count}: take another directory")
        elif direct and self.state["routes"]:
            raise misuse(f"{self.directory} holds a cluster that was made without --direct: take another directory")
        self.state.update(program=program, cut=[])
        self.save()
        try:
            for node in self.nodes:
                self._configure(node, sync, include)
            self._begin(self.nodes)
            self.wait_until_healthy(self.nodes)
        except BaseException as error:
            processes.end_all(self.all_processes(), SECONDS_UNTIL_ENDED)
            if not isinstance(error, KeyboardInterrupt):
                self._tell_last_lines()
            if is_new:
                self.file.unlink()
            raise

    def stop(self):
        self.need_up()
        # The nodes first: they say good-bye to each other.
        processes.end_all([node["process"] for node in self.nodes], SECONDS_UNTIL_ENDED)
        processes.end_all(self.all_processes(), SECONDS_UNTIL_ENDED)
        for node in self.nodes:
            node["process"] = None
        if self.state["routes"]:
            self.state["routes"]["process"] = None
        self.save()

    def kill(self, number):
        self.need_up()
        for node in self.chosen(number):
            # All are hit before one is waited for: so none sees the others fall.
            processes.send(node["process"], signal.SIGKILL)
        for node in self.chosen(number):
            processes.kill(node["process"])

    def restart(self, number):
        self.need()
        chosen = self.chosen(number)
        for node in chosen:
            processes.send(node["process"], signal.SIGCONT)
        self._begin(chosen)
        if self.state["cut"]:
            self._set_cut(set(self.state["cut"]) - {node["number"] for node in chosen})
        return chosen

    def cut(self, number):
        self.need_up()
        self.need_routes()
        self._set_cut(set(self.state["cut"]) | {node["number"] for node in self.chosen(number)})

    def heal(self, number):
        self.need_up()
        self.need_routes()
        chosen = self.chosen(number)
        self._set_cut(set(self.state["cut"]) - ({number} if number else set(self.state["cut"])))
        return chosen

    def pause(self, number):
        self.need_up()
        for node in self.chosen(number):
            processes.send(node["process"], signal.SIGSTOP)

    def resume(self, number):
        self.need_up()
        chosen = self.chosen(number)
        for node in chosen:
            processes.send(node["process"], signal.SIGCONT)
        return chosen

    # What can be asked

    def reachable(self):
        """The nodes that run and that their peers can hear."""
        return [
            node for node in self.nodes
            if processes.runs(node["process"]) and not processes.is_paused(node["process"])
            and node["number"] not in self.state["cut"]
        ]

    def leader(self, stream, seconds=30):
        """The number of the node that leads the stream, or all streams; waits while there is none."""
        self.need_up()
        deadline = time.monotonic() + seconds
        while True:
            for node in self.reachable():
                if health.leads(node, stream) if stream else health.leads_all(node):
                    return node["number"]
            if time.monotonic() > deadline:
                raise Failure(f"no node leads {f'the stream {stream}' if stream else 'the others'}: "
                              f"is it there, and do most nodes run? See: cluster status {self.directory}")
            time.sleep(0.05)

    def replicas(self, stream):
        self.need_up()
        for node in self.nodes:
            held = health.held(node, stream) if processes.runs(node["process"]) else None
            yield f"{node['number']}  {f'{held[0]} records, {held[1]} bytes' if held else 'nothing'}"

    def status(self):
        self.need()
        for node in self.nodes:
            process = node["process"]
            if not processes.runs(process):
                words = ["down"]
            elif processes.is_paused(process):
                words = [f"paused, process {process['pid']}"]
            else:
                words = [f"runs, process {process['pid']}", health.complaint(node) or "healthy"]
            if node["number"] in self.state["cut"]:
                words.append("cut off from its peers")
            yield f"{node['number']}  nats://127.0.0.1:{node['client']}  {', '.join(words)}"

    def wait_until_healthy(self, nodes, seconds=SECONDS_UNTIL_HEALTHY):
        """Waits until these nodes are what they can be: healthy where most nodes can hear each other, or else there."""
        deadline = time.monotonic() + seconds
        while True:
            problem = self._problem(nodes)
            if problem is None:
                return
            if time.monotonic() > deadline:
                raise Failure(f"{problem}, after {seconds} seconds: see {self.directory}/n*/server.log")
            time.sleep(0.05)

    def _problem(self, nodes):
        reachable = self.reachable()
        is_most = 2 * len(reachable) > len(self.nodes)
        for node in nodes:
            if not processes.runs(node["process"]):
                raise Failure(f"node {node['number']} has ended: see {self._folder(node)}/server.log")
            if processes.is_paused(node["process"]):
                continue
            if not is_most or node not in reachable:
                if not health.answers(node):
                    return f"node {node['number']} does not answer"
                continue
            complaint = health.complaint(node)
            if complaint:
                return f"node {node['number']} is not healthy ({complaint})"
        if is_most and len(self.nodes) > 1 and not health.is_whole(reachable):
            return "the nodes have not found each other"
        return None

    # How it is done

    def _begin(self, nodes):
        """Begins what does not run of these nodes, and of the network between them."""
        between = self.state["routes"]
        if between and not processes.runs(between["process"]):
            between["process"] = processes.begin(
                [sys.executable, "-B", network.__file__, str(self.file)], self.directory / "routes.log")
            self.save()
            self._set_cut(set(self.state["cut"]))
        for node in nodes:
            if not processes.runs(node["process"]):
                folder = self._folder(node)
                node["process"] = processes.begin(
                    [self.state["program"], "-c", str(folder / "server.conf")], folder / "server.log")
                # After each of them: whatever happens next, what runs can be found and ended.
                self.save()

    def _set_cut(self, numbers):
        deadline = time.monotonic() + 10
        while True:
            try:
                network.tell(self.state["routes"]["control"], numbers)
                break
            except OSError:
                if not processes.runs(self.state["routes"]["process"]) or time.monotonic() > deadline:
                    raise Failure(f"the network between the nodes does not run (see {self.directory}/routes.log): "
                                  f"bring it back with: cluster restart {self.directory}") from None
                time.sleep(0.02)
        self.state["cut"] = sorted(numbers)
        self.save()

    def _folder(self, node):
        return self.directory / node["name"]

    def _configure(self, node, sync, include):
        folder = self._folder(node)
        folder.mkdir(exist_ok=True)
        text = f'server_name: {node["name"]}\n'
        text += f'listen: "127.0.0.1:{node["client"]}"\nhttp: "127.0.0.1:{node["monitor"]}"\n'
        text += f'jetstream {{ store_dir: {json.dumps(str(folder / "data"))}, max_mem: 256M, max_file: 64G'
        text += f', sync_interval: {sync} }}\n' if sync else ' }\n'
        if len(self.nodes) > 1:
            text += f'cluster {{ name: immuta, listen: "127.0.0.1:{node["peers"]}", no_advertise: true, routes: ['
            text += ", ".join(f'"nats://127.0.0.1:{port}"' for port in self._ways_from(node)) + ']'
            if self.state["routes"]:
                # Nodes tell each other where the others are. What they tell must not lead around the network between them.
                text += f', advertise: "127.0.0.1:{self.state["routes"]["nowhere"]}"'
            text += ' }\n'
        if include:
            text += f'include {json.dumps(os.path.relpath(include, folder))}\n'
        (folder / "server.conf").write_text(text)

    def _ways_from(self, node):
        if self.state["routes"] is None:
            return [other["peers"] for other in self.nodes if other is not node]
        return [link["port"] for link in self.state["routes"]["links"] if link["from"] == node["number"]]

    def _tell_last_lines(self):
        for log in sorted(self.directory.glob("n*/server.log")) + [self.directory / "routes.log"]:
            lines = log.read_text(errors="replace").splitlines()[-5:] if log.exists() else []
            if lines:
                print(f"The last lines of {log}:", *lines, sep="\n  ", file=sys.stderr)


def _drawn(count, direct):
    """A new cluster, with ports that are free."""
    count = count or 3
    pairs = [] if direct else [(i, j) for i in range(1, count + 1) for j in range(1, count + 1) if i != j]
    ports = iter(_free_ports(3 * count + len(pairs) + 2))
    nodes = [
        {"number": i, "name": f"n{i}", "client": next(ports), "peers": next(ports), "monitor": next(ports), "process": None}
        for i in range(1, count + 1)
    ]
    links = [{"from": i, "to": j, "port": next(ports)} for i, j in pairs]
    routes = {"control": next(ports), "nowhere": next(ports), "links": links, "process": None} if links else None
    return {"nodes": nodes, "cut": [], "routes": routes}


def _free_ports(count):
    """Ports that nobody listens on. Not of those that the system gives to outgoing connections: it would give one of ours
    away while its node is down."""
    first_of_system = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    low, high = (10_000, first_of_system) if first_of_system > 20_000 else (61_000, 65_536)
    free = []
    for port in random.sample(range(low, high), high - low):
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        free.append(port)
        if len(free) == count:
            return free
    raise Failure(f"there are no {count} free ports from {low} to {high} on 127.0.0.1")
