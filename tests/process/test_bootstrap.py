"""From empty directories to a cluster, and what a node refuses on the way."""
import json
import os
import shutil
import socket
import struct
import time

from cluster import Cluster, Failed, main, wait_until


def case_init(test):
    cluster = test.cluster(3).start()
    for node in cluster.nodes:
        status = node.status()
        test.check(f'{node.name} waits and says for what', status['role'] == 'waiting' and 'pawl cluster init' in status['waitingFor'], status)
    early = test.pawl('-o', 'json', '--timeout', '2s', 'wf', 'ls')
    test.check('a request before init is told to try again', early.code == 5 and 'PAWL_NOT_BOOTSTRAPPED' in early.err, early)
    first = cluster.init()
    test.check('init forms the cluster', first.code == 0 and len(first.json['members']) == 3, first)
    cluster.leader()
    leaders = wait_until('every node to know one leader', lambda: _known_leader(cluster))
    test.check('every node knows one leader', leaders)
    again = cluster.init()
    test.check('init again is harmless', again.code == 0 and again.json['cluster'] == first.json['cluster'], again)
    reversed_peers = ','.join(node.peer for node in reversed(cluster.nodes))
    elsewhere = test.pawl('-o', 'json', 'cluster', 'init', '--peers', reversed_peers, nodes=cluster.nodes[2].client)
    test.check('init again in another order at another node is harmless', elsewhere.code == 0 and elsewhere.json == first.json, elsewhere)
    for node in cluster.nodes:
        with open(node.path('identity.json')) as file:
            identity = json.load(file)
        test.check(f'the identity of {node.name} is written', identity['cluster'] == first.json['cluster'], identity)
    for node in cluster.nodes:
        node.stop()
        node.start(wait=False)
    cluster.leader()
    test.check('the cluster comes back from its directories', True)


def _known_leader(cluster):
    states = [node.status() for node in cluster.nodes]
    leaders = {state['leader'] for state in states}
    return len(leaders) == 1 and leaders != {0}


def case_init_with_other_peers(test):
    cluster = test.cluster(3).form()
    stranger = Cluster(test, 1).start()
    mixed = ','.join([cluster.nodes[0].peer, cluster.nodes[1].peer, stranger.nodes[0].peer])
    refused = test.pawl('-o', 'json', 'cluster', 'init', '--peers', mixed, nodes=cluster.nodes[0].client)
    test.check('init with another peer is refused', refused.code == 4 and 'PAWL_WRONG_CLUSTER' in refused.err, refused)
    test.check('the stranger has written nothing', stranger.nodes[0].status()['role'] == 'waiting' and
               not os.path.exists(stranger.nodes[0].path('identity.json')))
    alone = test.pawl('-o', 'json', 'cluster', 'init', '--peers', cluster.nodes[0].peer, nodes=cluster.nodes[0].client)
    test.check('init with fewer peers is refused', alone.code == 4, alone)
    cluster.leader()
    test.check('the cluster goes on', test.pawl('wf', 'ls').code == 0)
    for words in (['127.0.0.1:1,127.0.0.1:2'], [cluster.peers + ',' + cluster.nodes[0].peer, ], ['nonsense']):
        wrong = test.pawl('cluster', 'init', '--peers', *words, nodes=stranger.nodes[0].client)
        test.check(f'init with {len(words[0].split(","))} peers that make no cluster is refused', wrong.code not in (0, 139), wrong)
    test.check('the stranger still waits', stranger.nodes[0].status()['role'] == 'waiting')


def case_init_with_a_node_down(test):
    cluster = test.cluster(3)
    for node in cluster.nodes[:2]:
        node.start()
    refused = cluster.init()
    test.check('init without one node is refused', refused.code == 5, refused)
    test.check('the error names the node that is missing', cluster.nodes[2].peer in refused.err, refused)
    for node in cluster.nodes[:2]:
        test.check(f'{node.name} has written nothing', not os.path.exists(node.path('identity.json')) and node.status()['role'] == 'waiting')
    cluster.nodes[2].start()
    test.check('the same command works when it is up', cluster.init().code == 0)
    cluster.leader()


def case_init_cut_short(test):
    """A node dies while the cluster is formed, at any moment of it: the same command finishes what was begun."""
    for i in range(5):
        cluster = Cluster(test, 3).start()
        init = test.spawn(f'init-{i}', test.words('--timeout', '5s', 'cluster', 'init', '--peers', cluster.peers, nodes=cluster.nodes[0].client))
        victim = test.random.choice(cluster.nodes)
        moment = time.monotonic() + test.random.uniform(0, 0.15)
        wait_until('the moment', lambda: time.monotonic() > moment, every_s=0.001)
        victim.kill()
        init.wait()
        victim.start()
        wait_until('init to be done', lambda: cluster.init().code == 0)
        cluster.leader()
        clusters = {node.status()['cluster'] for node in cluster.nodes}
        test.check(f'init {i}, cut short by the end of {victim.name}, is finished by the next one', len(clusters) == 1, clusters)
        for node in cluster.nodes:
            node.kill()


def _send(address, data):
    host, port = address.rsplit(':', 1)
    with socket.create_connection((host, int(port)), timeout=10) as connection:
        try:
            connection.sendall(data)
            connection.settimeout(0.2)
            connection.recv(4096)
        except OSError:
            pass


def case_strangers(test):
    """Bytes from whoever finds the ports."""
    cluster = test.cluster(3).form()
    node = cluster.nodes[0]
    texts = [b'GET / HTTP/1.1\r\nHost: x\r\n\r\n', b'\xff' * 4096, b'\0' * 4096, struct.pack('<IB3x', 0xffffffff, 1), struct.pack('<IB3x', 4, 1) + b'\xdf\xff\xff\xff']
    for frame_type in range(0, 40, 3):
        body = test.random.randbytes(test.random.randrange(200))
        texts.append(struct.pack('<IB3x', len(body), frame_type) + body)
    for text in texts:
        for address in (node.peer, node.client):
            _send(address, text)
    connections = [socket.create_connection(('127.0.0.1', int(node.client.rsplit(':', 1)[1])), timeout=10) for _ in range(300)]
    for connection in connections:
        connection.close()
    test.check('no node ends over what strangers send', all(node.is_running() for node in cluster.nodes), node.log()[-2000:])
    test.check('and the cluster serves', test.pawl('wf', 'ls').code == 0)
    cluster.wait_level()


def case_one_node(test):
    cluster = test.cluster(1).form()
    test.check('a cluster of one is its own quorum', cluster.leader() is cluster.nodes[0])
    cluster.nodes[0].kill()
    cluster.nodes[0].start()
    test.check('and leads again after a kill', cluster.leader() is cluster.nodes[0])


def case_data_directory(test):
    cluster = test.cluster(1).form()
    node = cluster.nodes[0]
    second = test.spawn('second', [test.pawld, '--data', node.data, '--name', 'second', '--peer', '127.0.0.1:0', '--client', '127.0.0.1:0'])
    test.check('a second process on the directory is refused', second.wait() == 1 and 'PAWL_LOCKED' in second.log(), second.log())
    test.check('the first one goes on', node.status()['role'] == 'leader')
    taken = test.spawn('taken', [test.pawld, '--data', test.path('taken'), '--peer', node.peer, '--client', node.client])
    test.check('a port that is taken is an error', taken.wait() == 1 and node.peer in taken.log(), taken.log())
    for name, words in (('no-data', []), ('not-loopback', ['--data', test.path('x'), '--peer', '10.0.0.1:4771']),
                        ('unknown', ['--data', test.path('x'), '--frobnicate'])):
        usage = test.spawn(name, [test.pawld] + words)
        test.check(f'wrong usage ({name}) ends with 2', usage.wait() == 2 and 'hint: pawld --help' in usage.log(), usage.log())
    nowhere = test.spawn('nowhere', [test.pawld, '--data', test.path('missing', 'deeper')])
    test.check('a directory that cannot be made is an error', nowhere.wait() == 1 and 'PAWL_IO' in nowhere.log(), nowhere.log())


def case_other_cluster(test):
    """A node of another cluster at a member's address is not taken for the member."""
    cluster = test.cluster(3).form()
    stranger = Cluster(test, 1)
    stranger.start()
    test.check('another cluster is formed', stranger.init().code == 0)
    test.pawl_ok('def', 'deploy', os.path.join(os.path.dirname(__file__), 'hold.yaml'))
    gone, impostor = cluster.followers()[0], stranger.nodes[0]
    members = [node for node in cluster.nodes if node is not gone]
    known = ','.join(node.client for node in members)
    impostor.stop()
    gone.stop()
    impostor.peer, impostor.client = gone.peer, gone.client
    impostor.start()
    test.pawl_ok('wf', 'start', 'hold', '--id', 'with-the-impostor', namespace='shop', nodes=known)
    status = impostor.status()
    test.check('the impostor stays in its own cluster', status['cluster'] != cluster.leader(members).status()['cluster'], status)
    leader = cluster.leader(members)
    other = next(node for node in members if node is not leader)
    other.stop()
    alone = test.pawl('--timeout', '3s', 'wf', 'start', 'hold', '--id', 'no-quorum', namespace='shop', nodes=known)
    test.check('the impostor makes no quorum', alone.code == 5, alone)
    impostor.stop()
    gone.start()
    other.start()
    cluster.wait_level()
    test.check('the member is taken back', True)
    node = cluster.nodes[0]
    node.stop()
    with open(stranger.nodes[0].path('identity.json')) as file:
        foreign = file.read()
    shutil.copytree(node.data, test.path('mixed'))
    with open(test.path('mixed', 'identity.json'), 'w') as file:
        file.write(foreign)
    mixed = test.spawn('mixed', [test.pawld, '--data', test.path('mixed'), '--peer', node.peer, '--client', node.client])
    test.check('the log of another cluster is refused', mixed.wait() == 1 and 'PAWL_WRONG_CLUSTER' in mixed.log(), mixed.log())


main([case_init, case_init_with_other_peers, case_init_with_a_node_down, case_init_cut_short, case_strangers, case_one_node, case_data_directory, case_other_cluster])
