"""What a node does about a disk that has lost or changed what was on it: it notices, and nothing acknowledged is lost."""
import os
import re
import shutil

from cluster import Failed, main, wait_until

HERE = os.path.dirname(os.path.abspath(__file__))
WITHHELD = 'the log is damaged; this node is filled by its peers before it votes'


class Record:
    """Runs whose start was acknowledged."""

    def __init__(self, test):
        self.test, self.ids = test, []
        test.pawl_ok('def', 'deploy', os.path.join(HERE, 'hold.yaml'))

    def add(self, count=5, *options):
        for _ in range(count):
            workflow = f'kept-{len(self.ids)}'
            self.test.pawl_ok('wf', 'start', 'hold', '--id', workflow, *options, namespace='shop')
            self.ids.append(workflow)

    def missing(self):
        listed = self.test.pawl_ok('-o', 'json', '--timeout', '30s', 'wf', 'ls', '--limit', 1000, namespace='shop').json['instances']
        return set(self.ids) - {instance['workflowId'] for instance in listed}


def _written_bytes(path):
    """How much of a segment holds records; zeros follow."""
    with open(path, 'rb') as file:
        return len(file.read().rstrip(b'\0'))


def _flip(path, offset, test):
    with open(path, 'r+b') as file:
        file.seek(offset)
        byte = file.read(1)[0]
        file.seek(offset)
        file.write(bytes([byte ^ (1 << test.random.choice((0, 1, 2, 3, 4, 6, 7)))]))  # bit 5 may only change the case of a digit


def _only_two(cluster, one):
    """Leave one running with one other node, so that nothing commits without it."""
    other = next(node for node in cluster.nodes if node is not one)
    for node in cluster.nodes:
        if node is not one and node is not other:
            node.stop()
    return other


def _check_withheld_and_filled(test, cluster, record, node, what, damage):
    """Damage the node while it is down, and let it back: first with one peer alone, then with both."""
    node.kill()
    record.add(3)
    damage()
    peers = [peer for peer in cluster.nodes if peer is not node]
    absent = test.random.choice(peers)
    absent.kill()
    node.start()
    wait_until('the node to say that it is damaged', lambda: WITHHELD in node.said())
    test.check(f'{what}: it says so', True)
    test.check(f'{what}: its vote is withheld', wait_until('its status', node.status)['voteWithheld'])
    early = test.pawl('--timeout', '2s', 'wf', 'start', 'hold', '--id', f'early-{len(record.ids)}', namespace='shop')
    test.check(f'{what}: it makes no quorum before it is filled', early.code == 5 and node.status()['voteWithheld'], early)
    absent.start()
    cluster.wait_level()
    test.check(f'{what}: its vote is back when it is filled', not node.status()['voteWithheld'])
    cluster.leader()
    missing = record.missing()
    test.check(f'{what}: nothing acknowledged is lost', not missing, missing)
    first = test.random.choice(peers)
    first.kill()
    cluster.leader()
    record.add(1)
    missing = record.missing()
    test.check(f'{what}: it votes and acknowledges again', not missing, missing)
    first.start()
    cluster.wait_level()


def case_truncated_log(test):
    cluster = test.cluster(3).form()
    record = Record(test)
    record.add(12)
    for kind in ('in the records', 'behind the records', 'before the records'):
        node = test.random.choice(cluster.nodes)
        node_segment = []

        def damage():
            path = node.newest_segment()
            written, size = _written_bytes(path), os.path.getsize(path)
            if kind == 'in the records':
                length = test.random.randrange(1024, written)
            elif kind == 'behind the records':
                length = test.random.randrange(written, size)
            else:
                length = 1024
            os.truncate(path, length)
            node_segment.append(length)

        _check_withheld_and_filled(test, cluster, record, node, f'log cut {kind}', damage)
        test.note(f'log cut {kind}: {node.name} at {node_segment[0]} bytes')


def case_changed_log(test):
    cluster = test.cluster(3).form()
    record = Record(test)
    record.add(12)
    for _ in range(2):
        node = test.random.choice(cluster.nodes)
        offsets = []

        def damage():
            path = node.newest_segment()
            end = _written_bytes(path)
            offsets.append(test.random.randrange(1024, max(1025, end // 2)))
            _flip(path, offsets[0], test)

        _check_withheld_and_filled(test, cluster, record, node, 'changed byte in the log', damage)
        test.note(f'changed byte {offsets[0]} of the log of {node.name}')


def case_truncated_leader_of_all(test):
    """Everything stops at once, and the log of one node, whichever it was, is shorter afterwards."""
    cluster = test.cluster(3).form()
    record = Record(test)
    record.add(8)
    for _ in range(2):
        victim = cluster.leader()
        for node in cluster.nodes:
            node.kill()
        path = victim.newest_segment()
        os.truncate(path, test.random.randrange(1024, _written_bytes(path)))
        for node in cluster.nodes:
            node.start(wait=False)
        cluster.wait_level()
        missing = record.missing()
        test.check('the log of the leader cut while all are down: nothing acknowledged is lost', not missing, missing)
        record.add(2)


def _refuses(test, node, what, words):
    node.start(wait=False)
    code = node.wait()
    said = node.said().splitlines()[-1]
    test.check(f'{what} is refused', code == 1 and re.search(words, said), f'{code}: {said}')


def case_several_segments(test):
    """A log of several files: catching up over them, and damage to any of them."""
    cluster = test.cluster(3).form()
    record = Record(test)
    large = test.write('large.json', '{"card":"4000","note":"%s"}' % ('x' * 900000))
    record.add(20, '-i', f'@{large}')
    late = cluster.followers()[0]
    late.kill()
    record.add(20, '-i', f'@{large}')
    late.start()
    cluster.wait_level()
    segments = [name for name in os.listdir(late.path('log')) if name.startswith('segment-')]
    test.check('a node catches up over several segments', len(segments) > 1 and not record.missing(), segments)
    for which in (0, -1):
        node = test.random.choice(cluster.nodes)

        def damage():
            name = sorted(name for name in os.listdir(node.path('log')) if name.startswith('segment-'))[which]
            path = node.path('log', name)
            os.truncate(path, test.random.randrange(1024, max(_written_bytes(path), 1025)))

        _check_withheld_and_filled(test, cluster, record, node, f'segment {which} cut', damage)
    node = test.random.choice(cluster.nodes)
    node.stop()
    shutil.rmtree(node.path('store'))
    node.start(wait=False)
    wait_until('the node to run or to refuse', lambda: not node.is_running() or 'msg="running"' in node.said())
    if node.is_running():
        cluster.wait_level()
    else:
        test.check('a store that the log cannot make again is missed', 'PAWL_CORRUPT' in node.said(), node.said())
    test.check('nothing acknowledged is lost', not record.missing())


def case_unreadable_log(test):
    """Both copies of a segment's header are gone: this is for a person."""
    cluster = test.cluster(3).form()
    record = Record(test)
    record.add(5)
    node = cluster.followers()[0]
    node.kill()
    path = node.newest_segment()
    shutil.copy(path, test.path('segment'))
    for length in (0, test.random.randrange(1, 512)):
        os.truncate(path, length)
        _refuses(test, node, f'a log cut to {length} bytes', r'PAWL_CORRUPT')
    test.check('the others go on', not record.missing())
    shutil.copy(test.path('segment'), path)
    node.start()
    cluster.wait_level()
    test.check('it is taken back with its log', True)


def case_missing_log(test):
    """A node without its log is filled like one whose log is damaged, also when its store is gone as well."""
    cluster = test.cluster(3).form()
    record = Record(test)
    record.add(5)
    node = cluster.followers()[0]
    _check_withheld_and_filled(test, cluster, record, node, 'no log', lambda: shutil.rmtree(node.path('log')))

    def damage():
        for name in os.listdir(node.path('log')):
            os.remove(node.path('log', name))
        shutil.rmtree(node.path('store'))

    _check_withheld_and_filled(test, cluster, record, node, 'empty log and no store', damage)


def case_missing_store(test):
    """The store is made again from the log."""
    cluster = test.cluster(3).form()
    record = Record(test)
    record.add(12)
    before = test.pawl_ok('-o', 'json', 'wf', 'history', 'kept-3', namespace='shop').json
    for node in cluster.nodes:
        node.stop()
        shutil.rmtree(node.path('store'))
        node.start()
        cluster.wait_level()
    cluster.leader()
    missing = record.missing()
    test.check('every store is made again from the log', not missing, missing)
    after = test.pawl_ok('-o', 'json', 'wf', 'history', 'kept-3', namespace='shop').json
    test.check('and tells the same', before['events'] == after['events'])
    record.add(1)


def case_changed_identity(test):
    """Every byte of it matters."""
    cluster = test.cluster(1).form()
    node = cluster.nodes[0]
    node.stop()
    path = node.path('identity.json')
    with open(path, 'rb') as file:
        whole = file.read()
    for offset in sorted(test.random.sample(range(len(whole)), 24)):
        _flip(path, offset, test)
        with open(path, 'rb') as file:
            changed = file.read()
        node.start(wait=False)
        code = node.wait(10)
        said = node.said().splitlines()[-1]
        if code != 1 or not re.search('PAWL_CORRUPT|PAWL_WRONG_CLUSTER', said):
            raise Failed(f'byte {offset} changed from {whole[offset]:#x} to {changed[offset]:#x}: exit status {code}, {said}')
        with open(path, 'wb') as file:
            file.write(whole)
    test.check('a changed identity is refused, whichever byte it is', True)
    for length in (0, test.random.randrange(1, len(whole.rstrip()))):  # the line's end alone says nothing
        with open(path, 'wb') as file:
            file.write(whole[:length])
        _refuses(test, node, f'an identity cut to {length} bytes', 'PAWL_CORRUPT')
    os.remove(path)
    _refuses(test, node, 'a log without an identity', 'PAWL_CORRUPT.*identity is gone')
    with open(path, 'wb') as file:
        file.write(whole)
    node.start()
    cluster.leader()
    test.check('the right identity is taken', True)


def case_changed_store(test):
    """Damaged rows are never served."""
    cluster = test.cluster(3).form()
    record = Record(test)
    record.add(12)
    cluster.wait_level()
    node = cluster.followers()[0]
    node.stop()
    path = node.path('store', 'data.mdb')
    size = os.path.getsize(path)
    for offset in range(2 * 4096, size, 512):
        _flip(path, offset + test.random.randrange(512), test)
    node.start(wait=False)
    others = [peer for peer in cluster.nodes if peer is not node]
    others[0].kill()
    answer = test.pawl('-o', 'json', '--timeout', '4s', 'wf', 'ls', '--limit', 1000, namespace='shop')
    if answer.code == 0:
        listed = {instance['workflowId'] for instance in answer.json['instances']}
        test.check('what is read beside a damaged store is right', listed == set(record.ids), set(record.ids) - listed)
    else:
        test.check('what cannot be read is said to be so', answer.code in (1, 5), answer)
    test.note(f'{node.name} with a damaged store: {"runs" if node.is_running() else f"ended with {node.process.returncode}"}; '
              f'{node.said().splitlines()[-1][:200]}')
    others[0].start()
    cluster.leader(others)
    missing = record.missing() if not node.is_running() else set()
    test.check('the others lose nothing', not missing, missing)


main([case_truncated_log, case_changed_log, case_truncated_leader_of_all, case_several_segments, case_unreadable_log, case_missing_log, case_missing_store,
      case_changed_identity, case_changed_store])
