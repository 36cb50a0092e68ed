"""A full disk: new work is refused, nothing is lost, and space is all that it takes to go on.

The nodes live on a small file system of their own, mounted where no other process sees it.
"""
import ctypes
import os

from cluster import Failed, main, wait_until
from shop import Ledger

HERE = os.path.dirname(os.path.abspath(__file__))
CLONE_NEWNS = 0x00020000
MS_REC_PRIVATE = 0x4000 | 0x40000
MIB = 1 << 20


def _check_call(result, what):
    if result != 0:
        raise OSError(ctypes.get_errno(), f'{what}: {os.strerror(ctypes.get_errno())}')


def _mount(path, size):
    libc = ctypes.CDLL(None, use_errno=True)
    _check_call(libc.unshare(CLONE_NEWNS), 'unshare')
    _check_call(libc.mount(b'none', b'/', None, ctypes.c_ulong(MS_REC_PRIVATE), None), 'make mounts private')
    _check_call(libc.mount(b'tmpfs', path.encode(), b'tmpfs', ctypes.c_ulong(0), f'size={size}'.encode()), 'mount')
    return lambda: libc.umount2(path.encode(), 2)


def _free_bytes(path):
    space = os.statvfs(path)
    return space.f_bavail * space.f_frsize


def _fill(path, leave):
    with open(os.path.join(path, 'ballast'), 'ab') as ballast:
        while _free_bytes(path) > leave:
            ballast.write(b'\xff' * min(64 << 10, _free_bytes(path) - leave))
            ballast.flush()


def _start(test, i, text):
    return test.pawl('-o', 'json', '--timeout', '5s', 'wf', 'start', 'hold', '--id', f'run-{i}', '-i', '{"card":"4000","note":"%s"}' % text,
                     namespace='shop')


def _is_taken(test, i):
    outcome = _start(test, i, 'after')
    if outcome.code != 0:
        raise Failed(str(outcome))
    return True


def _start_until_refused(test, kept):
    text = 'x' * 60000
    for i in range(len(kept), len(kept) + 4000):
        outcome = _start(test, i, text)
        if outcome.code != 0:
            return outcome
        kept.append(f'run-{i}')
    raise Failed('the disk was full and every start was taken')


def _run(test, directory):
    cluster = test.cluster(3, parent=directory).form()
    test.pawl_ok('def', 'deploy', os.path.join(HERE, 'hold.yaml'))
    kept = []
    for i in range(5):
        test.check(f'start {i} with free space is taken', _start(test, i, 'short').code == 0)
        kept.append(f'run-{i}')
    _fill(directory, leave=0)
    refused = _start_until_refused(test, kept)
    test.note(f'{len(kept)} starts were taken before the first refusal')
    test.check('a start is refused because the disk is full', refused.code == 5 and 'PAWL_DISK_FULL' in refused.err, refused)
    test.check('every node lives', all(node.is_running() for node in cluster.nodes), [node.log()[-600:] for node in cluster.nodes])
    test.check('the status says so', any(node.status()['outOfSpace'] for node in cluster.nodes))
    test.check('reads are served', test.pawl('wf', 'show', 'run-0', namespace='shop').code == 0)
    payment = test.spawn('payment', [os.path.join(test.examples, 'order-payment'), '--nodes', cluster.connection, '--ledger', test.path('payment.ledger')])
    acknowledged = wait_until('reports to be acknowledged', lambda: [line for line in Ledger(test.path('payment.ledger')).lines() if line[0] == 'ack'])
    test.check('reports are still taken', all(line[4] == 'OK' for line in acknowledged), acknowledged)
    test.check('while starts are not', _start(test, 10000, 'x' * 60000).code == 5)
    os.remove(os.path.join(directory, 'ballast'))
    wait_until('a start to be taken again', lambda: _is_taken(test, len(kept)))
    kept.append(f'run-{len(kept)}')
    test.check('starts are taken again when there is space', True)
    wait_until('the status to say so', lambda: not any(node.status()['outOfSpace'] for node in cluster.nodes))
    for workflow in kept:
        test.pawl_ok('--timeout', '60s', 'wf', 'result', workflow, namespace='shop')
    test.check('every acknowledged run goes to its end', True)
    payment.terminate()
    payment.wait()
    for node in cluster.nodes:
        node.kill()
    for node in cluster.nodes:
        node.start(wait=False)
    cluster.wait_level()
    test.check('the nodes come back', test.pawl('wf', 'show', kept[-1], namespace='shop').code == 0)


def case_disk_full(test):
    if os.geteuid() != 0:
        print('skipped: only root can mount a small file system', flush=True)
        return
    directory = test.path('small')
    os.mkdir(directory)
    try:
        unmount = _mount(directory, 448 * MIB)
    except OSError as error:
        print(f'skipped: {error}', flush=True)
        return
    try:
        _run(test, directory)
    finally:
        for program in test.programs:
            if program.is_running():
                program.kill()
        unmount()


main([case_disk_full])
