"""Any programs as workers, a definition with a bit of everything, and nodes and workers that are killed and paused under them.

The evidence is a file that the programs append to.
"""
import concurrent.futures
import os
import time

from cluster import Failed, main, wait_until
from shop import fence_of

HERE = os.path.dirname(os.path.abspath(__file__))

# Appends one line with its key and fence, and counts up. $1: the ledger.
COUNT = '''
n=$(sed 's/.*"n":\\([0-9]*\\).*/\\1/')
echo "$PAWL_TYPE $PAWL_IDEMPOTENCY_KEY $PAWL_FENCE $PAWL_WORKFLOW_ID $n" >>"$1"
[ "$PAWL_TYPE" = mixed.flaky ] && [ "$PAWL_ATTEMPT" = 1 ] && { echo 'the first attempt fails' >&2; exit 1; }
echo "{\\"n\\":$((n + 1))}"
'''
TYPES = ('mixed.count', 'mixed.flaky', 'mixed.once')
RUNS = 40


def _start_worker(test, step_type, number):
    return test.spawn(f'{step_type}-{number}', test.words('run', '--type', step_type, '--concurrency', 4, '--', 'sh', test.path('count.sh'),
                                                           test.path('ledger')))


def _run(test, i):
    workflow = f'mixed-{i}'
    test.pawl_ok('--timeout', '60s', 'wf', 'start', 'mixed', '--id', workflow)
    return test.pawl_ok('-o', 'json', '--timeout', '90s', 'wf', 'result', workflow, deadline_s=100).json


def _faults(test, cluster, workers, is_done):
    count = 0
    while not is_done():
        node = test.random.choice(cluster.nodes)
        fault = test.random.choice(('kill', 'kill', 'kill all', 'pause', 'worker'))
        if fault == 'pause':
            node.pause()
            end = time.monotonic() + test.random.uniform(0.1, 1.5)
            wait_until('the pause to end', lambda: time.monotonic() > end)
            node.resume()
        elif fault == 'worker':
            name = test.random.choice(sorted(workers))
            workers[name].kill()
            workers[name] = _start_worker(test, name[0], name[1])
        else:
            killed = cluster.nodes if fault == 'kill all' else [node]
            for one in killed:
                one.kill()
            for one in killed:
                one.start(wait=False)
        count += 1
        cluster.leader()
        quiet = time.monotonic() + test.random.uniform(0.1, 0.8)
        wait_until('the next fault', lambda: is_done() or time.monotonic() > quiet)
    return count


def _check_ledger(test, results):
    newest, counted, once = {}, {}, {}
    with open(test.path('ledger')) as ledger:
        for line in ledger:
            step_type, key, fence, workflow, n = line.split()
            if key in newest and fence_of(fence) <= newest[key]:
                raise Failed(f'the fence of {key} did not rise: {line}')
            newest[key] = fence_of(fence)
            if step_type == 'mixed.count':
                counted.setdefault(workflow, {}).setdefault(int(n), set()).add(key)
            if step_type == 'mixed.once':
                once[workflow] = once.get(workflow, 0) + 1
    test.check('fences rise for each key', True)
    test.check('every round of a loop has one key', all(sorted(rounds) == [0, 1, 2, 3] and all(len(keys) == 1 for keys in rounds.values())
                                                        for rounds in counted.values()) and len(counted) == RUNS, counted)
    test.check('what may run at most once did', all(count == 1 for count in once.values()), once)
    known = [f'mixed-{i}' for i, result in enumerate(results) if not result.get('unknown')]
    test.check('and what is said to have run has', all(workflow in once for workflow in known), set(known) - set(once))


def case_programs_under_faults(test):
    cluster = test.cluster(3).form()
    test.write('count.sh', COUNT)
    test.pawl_ok('def', 'deploy', os.path.join(HERE, 'mixed.yaml'))
    workers = {(step_type, n): _start_worker(test, step_type, n) for step_type in TYPES for n in range(2)}
    with concurrent.futures.ThreadPoolExecutor(6) as pool:
        runs = [pool.submit(_run, test, i) for i in range(RUNS)]
        try:
            faults = _faults(test, cluster, workers, lambda: all(run.done() for run in runs))
        except BaseException:
            for run in runs:
                run.cancel()
            raise
        results = [run.result() for run in runs]
    unknown = sum(1 for result in results if result.get('unknown'))
    test.note(f'{faults} faults, {unknown} outcomes unknown')
    test.check('every run comes to the same end', all(result['n'] == 6 for result in results), results)
    _check_ledger(test, results)
    cluster.wait_level()
    test.check('every node is level again', True)


main([case_programs_under_faults])
