"""Workers that die, stop and leave while they hold steps."""
import os
import time

from cluster import main, wait_until
from shop import Ledger, audit_ledgers

HERE = os.path.dirname(os.path.abspath(__file__))
RUNS = 6


class Payment:
    """One payment service with a ledger of its own."""

    def __init__(self, test, cluster, name, delay_ms, concurrency=RUNS):
        self.ledger = Ledger(test.path(f'{name}.ledger'))
        self.program = test.spawn(name, [os.path.join(test.examples, 'order-payment'), '--nodes', cluster.connection, '--ledger', self.ledger.path,
                                         '--delay-ms', delay_ms, '--concurrency', concurrency])

    def facts(self, fact):
        return [line for line in self.ledger.lines() if line[0] == fact]

    def keys(self, fact):
        return {line[3] for line in self.facts(fact)}

    def wait_facts(self, fact, count):
        wait_until(f'{count} lines {fact} in {self.ledger.path}', lambda: len(self.facts(fact)) >= count)


def _open(test, definition):
    cluster = test.cluster(3).form()
    test.pawl_ok('def', 'deploy', os.path.join(HERE, f'{definition}.yaml'))
    return cluster


def _start(test, definition, count=RUNS):
    ids = [f'{definition}-{i}' for i in range(count)]
    for workflow in ids:
        test.pawl_ok('wf', 'start', definition, '--id', workflow, namespace='shop')
    return ids


def _results(test, ids):
    return [test.pawl_ok('-o', 'json', '--timeout', '60s', 'wf', 'result', workflow, namespace='shop').json for workflow in ids]


def _check_ledgers(test, *payments):
    found = audit_ledgers([payment.ledger for payment in payments])
    test.check('the ledgers agree among themselves', not found, found)


def case_kill_a_worker(test):
    cluster = _open(test, 'hold')
    first = Payment(test, cluster, 'first', delay_ms=600000)
    ids = _start(test, 'hold')
    first.wait_facts('start', RUNS)
    second = Payment(test, cluster, 'second', delay_ms=20)
    first.program.kill()
    _results(test, ids)
    test.check('its steps are handed out again', second.keys('ack') == first.keys('start') and len(second.facts('ack')) == RUNS)
    _check_ledgers(test, first, second)


def case_kill_a_worker_and_the_leader(test):
    """The new leader has never met the worker that is gone."""
    cluster = _open(test, 'hold')
    first = Payment(test, cluster, 'first', delay_ms=600000)
    ids = _start(test, 'hold')
    first.wait_facts('start', RUNS)
    leader = cluster.leader()
    first.program.kill()
    leader.kill()
    second = Payment(test, cluster, 'second', delay_ms=20)
    _results(test, ids)
    test.check('its steps are handed out again by the next leader', second.keys('ack') == first.keys('start'))
    _check_ledgers(test, first, second)


def case_at_most_once(test):
    cluster = _open(test, 'once')
    first = Payment(test, cluster, 'first', delay_ms=600000)
    ids = _start(test, 'once')
    first.wait_facts('start', RUNS)
    second = Payment(test, cluster, 'second', delay_ms=20)
    first.program.kill()
    results = _results(test, ids)
    test.check('the definition is told that the outcome is unknown', all(result == {'unknown': True} for result in results), results)
    test.check('and the steps are not handed out again', not second.facts('start'))


def case_kill_nodes_under_a_worker(test):
    """What a worker holds stays its own over any number of leaders, also what may run at most once."""
    cluster = _open(test, 'once')
    for i, what in enumerate(('leader', 'all')):
        worker = Payment(test, cluster, f'worker-{what}', delay_ms=2500)
        ids = [f'{what}-{n}' for n in range(RUNS)]
        for workflow in ids:
            test.pawl_ok('wf', 'start', 'once', '--id', workflow, namespace='shop')
        worker.wait_facts('start', RUNS)
        killed = [cluster.leader()] if what == 'leader' else cluster.nodes
        for node in killed:
            node.kill()
        for node in killed:
            node.start(wait=False)
        results = _results(test, ids)
        test.check(f'its reports count (killed: {what})', all('paymentId' in result for result in results), results)
        test.check(f'its steps are handed out once (killed: {what})', len(worker.facts('start')) == RUNS and
                   all(line[4] == 'OK' for line in worker.facts('ack')), worker.ledger.lines())
        worker.program.terminate()
        worker.program.wait()


def case_pause_all_nodes(test):
    """For longer than a lease, as when a machine sleeps: no worker was silent, the nodes were."""
    cluster = _open(test, 'once')
    worker = Payment(test, cluster, 'worker', delay_ms=1000)
    ids = _start(test, 'once')
    worker.wait_facts('start', RUNS)
    for node in cluster.nodes:
        node.pause()
    end = time.monotonic() + 11
    wait_until('the pause to end', lambda: time.monotonic() > end)
    for node in cluster.nodes:
        node.resume()
    results = _results(test, ids)
    test.check('its reports count', all('paymentId' in result for result in results), results)
    test.check('its steps are handed out once', len(worker.facts('start')) == RUNS, worker.ledger.lines())


def case_pause_a_worker(test):
    """For longer than its lease: what it reports afterwards is stale."""
    cluster = _open(test, 'hold')
    first = Payment(test, cluster, 'first', delay_ms=1000, concurrency=RUNS)
    ids = _start(test, 'hold')
    first.wait_facts('start', RUNS)
    first.program.pause()
    held = first.keys('start') - first.keys('end')
    second = Payment(test, cluster, 'second', delay_ms=20)
    _results(test, ids)
    test.check('its steps are handed out again', held <= second.keys('ack'), held - second.keys('ack'))
    first.program.resume()
    wait_until('every report to be answered', lambda: len(first.facts('ack')) >= RUNS)
    stale = {line[3] for line in first.facts('ack') if line[4] == 'STALE'}
    test.check('what it reports then is stale', held <= stale, first.facts('ack'))
    _check_ledgers(test, first, second)


def case_goodbye(test):
    """However many it has begun when it is told to stop: it ends those, and another one does the rest."""
    cluster = _open(test, 'hold')
    ids = _start(test, 'hold')
    first = Payment(test, cluster, 'first', delay_ms=1500, concurrency=3)
    first.wait_facts('start', 3)
    first.program.terminate()
    second = Payment(test, cluster, 'second', delay_ms=20)
    test.check('a worker that is told to stop ends in order', first.program.wait() == 0, first.program.log())
    test.check('what it held is finished and acknowledged', first.keys('ack') == first.keys('start') and
               all(line[4] == 'OK' for line in first.facts('ack')), first.ledger.lines())
    _results(test, ids)
    done = [len(worker.facts('ack')) for worker in (first, second)]
    test.check('the other one does only the rest', not first.keys('start') & second.keys('start') and sum(done) == RUNS, done)
    _check_ledgers(test, first, second)


main([case_kill_a_worker, case_kill_a_worker_and_the_leader, case_at_most_once, case_kill_nodes_under_a_worker, case_pause_all_nodes,
      case_pause_a_worker, case_goodbye])
