"""Real pawld nodes, workers and commands for the process tests.

1. Nothing here sleeps to let time pass: wait_until() looks at a state until it is there or its deadline has passed.
2. Only processes that this program has started are signalled, through their own handles. The kernel ends them when this program ends, however it ends.
3. A node keeps its ports and its directory over its lives.
"""
import argparse
import ctypes
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import traceback

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
ORDER = os.path.join(ROOT, 'examples', 'order')
DEADLINE_S = 60
PR_SET_PDEATHSIG = 1

_libc = ctypes.CDLL(None)


class Failed(Exception):
    """A check did not hold, or a state did not come."""


def _die_with_parent():
    _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def wait_until(what, look, deadline_s=DEADLINE_S, every_s=0.02):
    """Call look() until it returns something true, and return that. What look() raises as Failed is a no."""
    end, last = time.monotonic() + deadline_s, ''
    while True:
        try:
            found = look()
            if found:
                return found
        except Failed as failed:
            last = f' ({failed})'
        if time.monotonic() > end:
            raise Failed(f'waited {deadline_s} s in vain for {what}{last}')
        time.sleep(every_s)


def _is_port_free(port):
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(('127.0.0.1', port))
        except OSError:
            return False
    return True


def free_ports(count):
    """Below the range from which the system takes ports of outgoing connections, so that they stay free between two lives of a node."""
    for _ in range(200):
        base = random.SystemRandom().randrange(10000, 30000)
        if all(_is_port_free(base + i) for i in range(count)):
            return list(range(base, base + count))
    raise Failed('no free ports were found')


def listens(address):
    host, port = address.rsplit(':', 1)
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.settimeout(1)
        return probe.connect_ex((host, int(port))) == 0


class Outcome:
    """What a command came to."""

    def __init__(self, words, code, out, err):
        self.words, self.code, self.out, self.err = words, code, out, err

    @property
    def json(self):
        try:
            return json.loads(self.out)
        except ValueError as error:
            raise Failed(f'{self} printed no JSON: {error}') from error

    def __str__(self):
        return f'`{" ".join(self.words)}` -> {self.code}\n  stdout: {self.out.strip()[:2000]}\n  stderr: {self.err.strip()[:2000]}'


class Program:
    """A process of ours, with its output in a file."""

    def __init__(self, name, words, log_path, environment=None):
        self.name, self.log_path = name, log_path
        with open(log_path, 'ab') as log:
            self.process = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=log, stderr=log, preexec_fn=_die_with_parent,
                                            env=environment)

    @property
    def pid(self):
        return self.process.pid

    def is_running(self):
        return self.process.poll() is None

    def kill(self):
        self.process.kill()
        self.process.wait()

    def pause(self):
        self.process.send_signal(signal.SIGSTOP)

    def resume(self):
        self.process.send_signal(signal.SIGCONT)

    def terminate(self):
        self.process.send_signal(signal.SIGTERM)

    def wait(self, deadline_s=DEADLINE_S):
        try:
            return self.process.wait(deadline_s)
        except subprocess.TimeoutExpired:
            raise Failed(f'{self.name} did not end within {deadline_s} s') from None

    def log(self):
        with open(self.log_path, errors='replace') as log:
            return log.read()


class Node(Program):
    """One pawld. It is started by start(), again after any end."""

    def __init__(self, test, name, data, peer_port, client_port):
        self.test, self.name, self.data = test, name, data
        self.peer, self.client = f'127.0.0.1:{peer_port}', f'127.0.0.1:{client_port}'
        self.log_path = os.path.join(test.directory, f'{name}.log')
        self.process, self.said_before = None, 0

    def words(self):
        return [self.test.pawld, '--data', self.data, '--name', self.name, '--peer', self.peer, '--client', self.client]

    def is_running(self):
        return self.process is not None and self.process.poll() is None

    def start(self, wait=True):
        self.said_before = os.path.getsize(self.log_path) if os.path.exists(self.log_path) else 0
        Program.__init__(self, self.name, self.words(), self.log_path)
        self.test.programs.append(self)
        if wait:
            wait_until(f'{self.name} to listen', lambda: self._has_ended_or_listens())
        return self

    def said(self):
        """In this life."""
        with open(self.log_path, 'rb') as log:
            log.seek(self.said_before)
            return log.read().decode(errors='replace')

    def _has_ended_or_listens(self):
        if not self.is_running():
            raise RuntimeError(f'{self.name} ended with {self.process.returncode}: {self.said()[-2000:]}')
        return listens(self.peer) and listens(self.client)

    def stop(self):
        self.terminate()
        return self.wait()

    def status(self):
        """What the node says of itself; Failed while it does not answer."""
        outcome = self.test.pawl('-o', 'json', '--timeout', '2s', 'cluster', 'status', nodes=self.client)
        if outcome.code != 0:
            raise Failed(str(outcome))
        if outcome.json['name'] != self.name:
            raise Failed(f'{self.name} was asked and {outcome.json["name"]} answered')
        return outcome.json

    def path(self, *parts):
        return os.path.join(self.data, *parts)

    def newest_segment(self):
        names = sorted(name for name in os.listdir(self.path('log')) if name.startswith('segment-'))
        return self.path('log', names[-1])


class Cluster:
    def __init__(self, test, count=3, parent=None):
        ports = free_ports(2 * count)
        parent = parent or test.directory
        first = len(test.nodes) + 1
        self.test = test
        self.nodes = []
        for i in range(count):
            name = f'n{first + i}'
            self.nodes.append(Node(test, name, os.path.join(parent, name), ports[2 * i], ports[2 * i + 1]))
        test.nodes += self.nodes

    @property
    def connection(self):
        return ','.join(node.client for node in self.nodes)

    @property
    def peers(self):
        return ','.join(node.peer for node in self.nodes)

    def start(self):
        for node in self.nodes:
            node.start(wait=False)
        for node in self.nodes:
            wait_until(f'{node.name} to listen', node._has_ended_or_listens)
        return self

    def init(self):
        return self.test.pawl('-o', 'json', 'cluster', 'init', '--peers', self.peers, nodes=self.nodes[0].client)

    def form(self):
        self.start()
        outcome = self.init()
        if outcome.code != 0:
            raise Failed(str(outcome))
        self.leader()
        return self

    def running(self):
        return [node for node in self.nodes if node.is_running()]

    def find_leader(self, among=None):
        """The active leader of the highest term that answers now, or None."""
        best = None
        for node in among or self.running():
            try:
                status = node.status()
            except Failed:
                continue
            if status.get('role') == 'leader' and status.get('active') and (best is None or status['term'] > best[1]):
                best = (node, status['term'])
        return best[0] if best else None

    def leader(self, among=None):
        return wait_until('a leader', lambda: self.find_leader(among))

    def followers(self):
        leader = self.leader()
        return [node for node in self.running() if node is not leader]

    def wait_level(self):
        """Until every node runs, votes, and has on disk whatever was committed anywhere when this began."""
        newest = wait_until('all nodes to answer', lambda: 1 + max(node.status()['commitIndex'] for node in self.nodes)) - 1

        def look():
            states = [node.status() for node in self.nodes]
            if any(state['voteWithheld'] for state in states):
                raise Failed('a vote is withheld')
            if any(min(state['commitIndex'], state['syncedIndex']) < newest for state in states):
                raise Failed(f'{newest} was committed; committed and synced: {[(s["commitIndex"], s["syncedIndex"]) for s in states]}')
            return True
        wait_until('all nodes to be level', look)


class Test:
    """One case: a directory, the processes in it, and its checks."""

    def __init__(self, options, name):
        self.options, self.name = options, name
        self.pawld, self.pawl_path, self.examples = options.pawld, options.pawl, options.examples
        self.directory = tempfile.mkdtemp(prefix=f'pawl-{name}.')
        self.nodes, self.programs = [], []
        self.connection = None
        self.seed = options.seed
        self.random = random.Random(f'{options.seed} {name}')
        self.notes = []

    def check(self, what, holds, detail=''):
        if not holds:
            raise Failed(f'{what}: {detail}')
        print(f'ok {self.name}: {what}', flush=True)

    def note(self, text):
        print(f'   {self.name}: {text}', flush=True)

    def path(self, *parts):
        return os.path.join(self.directory, *parts)

    def write(self, name, text):
        with open(self.path(name), 'w') as file:
            file.write(text)
        return self.path(name)

    def cluster(self, count=3, parent=None):
        cluster = Cluster(self, count, parent)
        self.connection = cluster.connection
        return cluster

    def words(self, *words, nodes=None, namespace=None):
        prefix = [self.pawl_path]
        target = nodes or self.connection
        if target:
            prefix += ['--nodes', target]
        if namespace:
            prefix += ['-n', namespace]
        return prefix + [str(word) for word in words]

    def pawl(self, *words, nodes=None, namespace=None, stdin='', deadline_s=DEADLINE_S):
        """Run the command line program to its end."""
        words = self.words(*words, nodes=nodes, namespace=namespace)
        try:
            ended = subprocess.run(words, input=stdin, capture_output=True, text=True, timeout=deadline_s, preexec_fn=_die_with_parent)
        except subprocess.TimeoutExpired:
            raise Failed(f'`{" ".join(words)}` did not end within {deadline_s} s') from None
        return Outcome(words, ended.returncode, ended.stdout, ended.stderr)

    def pawl_ok(self, *words, **named):
        outcome = self.pawl(*words, **named)
        if outcome.code != 0:
            raise Failed(str(outcome))
        return outcome

    def spawn(self, name, words, environment=None):
        program = Program(name, [str(word) for word in words], self.path(f'{name}.log'), environment)
        self.programs.append(program)
        return program

    def close(self, keep):
        for program in self.programs:
            if program.is_running():
                program.kill()
        if not keep:
            shutil.rmtree(self.directory, ignore_errors=True)

    def print_logs(self):
        for name in sorted(os.listdir(self.directory)):
            if not name.endswith('.log'):
                continue
            with open(self.path(name), errors='replace') as log:
                lines = log.read().splitlines()[-40:]
            print(f'--- {name}')
            print('\n'.join(lines))


def _run_case(options, name, case):
    test = Test(options, name)
    begin = time.monotonic()
    try:
        case(test)
    except Exception as error:  # whatever went wrong in a case is the case's failure
        print(f'FAILED {name}: {error}', flush=True)
        if not isinstance(error, Failed):
            traceback.print_exc(file=sys.stdout)
        test.print_logs()
        print(f'--- seed {options.seed}; what is left is in {test.directory}', flush=True)
        test.close(keep=True)
        return False
    test.close(keep=options.keep)
    print(f'   {name} took {time.monotonic() - begin:.1f} s', flush=True)
    return True


def main(cases):
    """Run the cases, functions named case_...; exit status 1 when one failed."""
    parser = argparse.ArgumentParser()
    parser.add_argument('--pawld', default=os.path.join(ROOT, 'build/release/node/pawld'))
    parser.add_argument('--pawl', default=os.path.join(ROOT, 'build/release/client/cli/pawl'))
    parser.add_argument('--examples', default=os.path.join(ROOT, 'build/release/examples'))
    parser.add_argument('--seed', type=int, default=random.SystemRandom().randrange(1 << 31))
    parser.add_argument('--seconds', type=float, default=20, help='budget of what is random')
    parser.add_argument('--only', help='the one case to run')
    parser.add_argument('--keep', action='store_true')
    options = parser.parse_args()
    print(f'seed {options.seed}', flush=True)
    ran = [_run_case(options, name, case) for name, case in ((case.__name__.removeprefix('case_'), case) for case in cases)
           if options.only in (None, name)]
    sys.exit(0 if ran and all(ran) else 1)
