"""Strangers and clients who mean harm: nobody else may lose more than a moment, and no node may end."""
import contextlib
import os
import resource
import threading
import time

from cluster import main, wait_until
from stranger import (APPEND, COMMAND, CONFIGURATION, DEPLOY, HELLO, NOOP, PEER_FORM, PEER_FORMED, PEER_HELLO, PEER_RAFT, REQUEST, SHOW,
                      START, STATUS, Gone, Stranger, frame, pack, peer_hello, raft_message)

HEAD = "document: {dsl: '1.0.3', namespace: default, name: %s, version: '1.0.0'}\n"
LIGHT = HEAD % 'light' + 'do:\n  - a: {set: {done: true}}\n'
ENDLESS = HEAD % 'endless' + 'do:\n  - a: {set: {v: 1}}\n  - b: {set: {v: 2}, then: a}\n'


def _formed(test):
    cluster = test.cluster(3).form()
    test.pawl_ok('def', 'deploy', test.write('light.yaml', LIGHT))
    return cluster, cluster.leader()


def _at_leader(leader):
    stranger = Stranger(leader.client).greet()
    if stranger.attach() != 0:
        raise Gone()
    return stranger


def _check_unharmed(test, cluster, leader, term):
    test.pawl_ok('wf', 'start', 'light', deadline_s=20)
    test.check('every node runs', all(node.is_running() for node in cluster.nodes))
    status = leader.status()
    test.check('the leader has kept its role', status['role'] == 'leader' and status['term'] == term, status)


def _as_peer(node, cluster_id, sender, receiver):
    stranger = Stranger(node.peer)
    stranger.send(PEER_HELLO, peer_hello(cluster_id, sender, receiver))
    stranger.read_until(PEER_HELLO)
    return stranger


def case_forged_appends(test):
    """From somebody who says that he is the leader: what a follower could not apply it must not take."""
    cluster, leader = _formed(test)
    before = leader.status()
    cluster_id = bytes.fromhex(before['cluster'].replace('-', ''))
    follower = cluster.followers()[0]
    place = follower.status()
    term, last = before['term'], place['lastIndex']
    bad = [{2: COMMAND, 3: b'garbage'}, {2: COMMAND}, {2: CONFIGURATION, 3: b'garbage'}, {2: NOOP, 3: b'x'},
           {2: COMMAND, 3: pack([1, 5, 0, b'', b'no key'])}, {2: COMMAND, 3: pack([1, 5, 99, b'key', b'no table'])}]
    appends = [dict(f6=last, f7=term, f8=last + 1, f14=[{1: term, **entry}]) for entry in bad]
    appends.append(dict(f6=last, f7=term, f14=[{1: term, 2: COMMAND, 3: pack([1, 5])}] * 5000))
    for fields in appends:
        with _as_peer(follower, cluster_id, before['node'], place['node']) as stranger:
            stranger.send(PEER_RAFT, raft_message(before['node'], place['node'], APPEND, term, **fields))
    with _as_peer(follower, cluster_id, before['node'], place['node']) as stranger:
        stranger.send(PEER_RAFT, raft_message(before['node'], place['node'], APPEND, 1 << 62))
    test.pawl_ok('wf', 'start', 'light')
    cluster.wait_level()
    _check_unharmed(test, cluster, leader, term)


class Flood(threading.Thread):
    """So many silent connections, kept up against whatever closes them."""

    def __init__(self, address, count):
        super().__init__(daemon=True)
        self.address, self.count, self.opened, self.is_over = address, count, 0, threading.Event()
        self.start()

    def run(self):
        held = []
        while not self.is_over.wait(0.01):
            held = [stranger for stranger in held if not _is_gone(stranger)]
            for _ in range(min(200, self.count - len(held))):
                try:
                    held.append(Stranger(self.address, deadline_s=5))
                except OSError:
                    break
                self.opened += 1
        for stranger in held:
            stranger.close()

    def end(self):
        self.is_over.set()
        self.join()


def _is_gone(stranger):
    stranger.socket.setblocking(False)
    try:
        is_gone = not stranger.socket.recv(1 << 16)
    except BlockingIOError:
        return False
    except OSError:
        is_gone = True
    if is_gone:
        stranger.close()
    return is_gone


def case_silent_strangers(test):
    """They fill both ports of the leader while its followers are started again."""
    cluster, leader = _formed(test)
    term = leader.status()['term']
    floods = [Flood(leader.peer, 75), Flood(leader.client, 4400)]
    wait_until('the ports to be full', lambda: all(flood.opened > flood.count for flood in floods))
    for follower in [node for node in cluster.nodes if node is not leader]:
        follower.kill()
        follower.start()
        test.pawl_ok('wf', 'start', 'light', deadline_s=20)
        wait_until(f'{follower.name} to follow', lambda: follower.status()['commitIndex'] >= leader.status()['commitIndex'])
    for flood in floods:
        flood.end()
    cluster.wait_level()
    _check_unharmed(test, cluster, leader, term)


def case_silent_strangers_where_descriptors_are_few(test):
    """The log goes on into new segments although strangers take every connection that the leader gives."""
    cluster = test.cluster(3)
    for node in cluster.nodes:
        node.words = lambda words=node.words: ['prlimit', '--nofile=1024', *words()]
    cluster.form()
    test.pawl_ok('def', 'deploy', test.write('light.yaml', LIGHT))
    leader = cluster.leader()
    term = leader.status()['term']
    held = _at_leader(leader)
    flood = Flood(leader.client, 1100)
    wait_until('the port to be full', lambda: flood.opened > flood.count)
    for i in range(40):
        held.ask(START, {2: 'light', 4: f'large-{i}', 5: 'x' * 900000})
    flood.end()
    cluster.wait_level()
    test.check('the log has gone on', len([name for name in os.listdir(os.path.join(leader.data, 'log')) if name.startswith('segment-')]) > 1)
    _check_unharmed(test, cluster, leader, term)
    held.close()


def case_many_ask_without_end(test):
    """Requests that nothing counts, faster than they can be answered, on many connections at once."""
    cluster, leader = _formed(test)
    term = leader.status()['term']
    one = frame(REQUEST, {1: 1, 3: 0, 4: 0, 5: b'r' * 16, 6: STATUS, 7: b''})
    strangers = [Stranger(leader.client).greet() for _ in range(300)]
    for stranger in strangers:
        stranger.socket.setblocking(False)
    unsent = {}
    end = time.monotonic() + 4
    while time.monotonic() < end:
        for stranger in strangers:
            with contextlib.suppress(OSError):
                data = unsent.get(stranger) or one * 1400
                unsent[stranger] = data[stranger.socket.send(data):]
            with contextlib.suppress(OSError):
                stranger.socket.recv(1 << 20)
    for stranger in strangers:
        stranger.close()
    cluster.wait_level()
    _check_unharmed(test, cluster, leader, term)


def case_clients_leave_together(test):
    cluster, leader = _formed(test)
    term = leader.status()['term']
    clients = [Stranger(leader.client) for _ in range(3000)]
    for client in clients:
        client.greet()
    for client in clients:
        client.close()
    _check_unharmed(test, cluster, leader, term)


def case_large_answers_nobody_reads(test):
    cluster, leader = _formed(test)
    term = leader.status()['term']
    asker = _at_leader(leader)
    asker.ask(START, {2: 'light', 4: 'large', 5: {'text': 'x' * 900000}})
    try:
        for _ in range(3000):
            asker.request(SHOW, {2: 'large'})
    except (Gone, OSError):
        pass
    _check_unharmed(test, cluster, leader, term)
    asker.close()


def case_one_connection_of_many_sessions(test):
    cluster, leader = _formed(test)
    term = leader.status()['term']
    stranger = _at_leader(leader)
    stranger.session = bytes(16)[:-1] + b'x'
    stranger.send(HELLO, {1: 1, 2: 1, 4: stranger.session})
    test.check('a second session on one connection closes it', stranger.is_closed_by_node())
    _check_unharmed(test, cluster, leader, term)


def case_forming_what_cannot_run(test):
    """A node that waits for its cluster writes down none that it could not run with."""
    cluster = test.cluster(1).start()
    node = cluster.nodes[0]
    lone = {1: 1, 2: 'a', 3: node.peer, 4: node.client}
    for receiver, members in ((9, [lone]), (0, [{**lone, 1: 0}]), (1, [lone, lone, lone]), (1, [{**lone, 3: ''}]), (1 << 63, [{**lone, 1: 1 << 63}])):
        with Stranger(node.peer) as stranger:
            stranger.send(PEER_FORM, {1: b'c' * 16, 2: receiver, 3: members})
            test.check('a cluster that cannot be is refused', stranger.read_until(PEER_FORMED).get(1, 0) != 0, members)
    test.check('the node can still be formed', cluster.init().code == 0)
    cluster.leader()


def case_endless_definition(test):
    cluster, leader = _formed(test)
    term = leader.status()['term']
    asker = _at_leader(leader)
    asker.ask(DEPLOY, {1: ENDLESS})
    for i in range(20):
        asker.ask(START, {2: 'endless', 4: f'endless-{i}'})
    begin = time.monotonic()
    for _ in range(20):
        test.pawl_ok('wf', 'start', 'light', deadline_s=20)
    test.note(f'a start took {(time.monotonic() - begin) / 20 * 1000:.0f} ms among endless ones')
    _check_unharmed(test, cluster, leader, term)
    asker.close()


if __name__ == '__main__':
    resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
    main([case_forged_appends, case_silent_strangers, case_silent_strangers_where_descriptors_are_few, case_many_ask_without_end,
          case_clients_leave_together, case_large_answers_nobody_reads, case_one_connection_of_many_sessions,
          case_forming_what_cannot_run, case_endless_definition])
