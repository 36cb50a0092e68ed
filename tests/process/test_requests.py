"""The same request twice, whatever happens in between."""
import os
import uuid

from cluster import main

HERE = os.path.dirname(os.path.abspath(__file__))


def case_start_twice(test):
    cluster = test.cluster(3).form()
    test.pawl_ok('def', 'deploy', os.path.join(HERE, 'hold.yaml'))
    for i, kill in enumerate((None, 'leader', 'all')):
        words = ['-o', 'json', 'wf', 'start', 'hold', '--id', f'twice-{i}', '-i', '{"amount":3}', '--request', str(uuid.uuid4())]
        first = test.pawl_ok(*words, namespace='shop').json
        victims = {None: [], 'leader': [cluster.leader()], 'all': cluster.nodes}[kill]
        for node in victims:
            node.kill()
        if kill == 'all':
            for node in victims:
                node.start(wait=False)
        again = test.pawl_ok(*words, namespace='shop').json
        test.check(f'the same request gives the same run (killed in between: {kill})', again['run'] == first['run'], (first, again))
        words[-1] = str(uuid.uuid4())
        other = test.pawl(*words, namespace='shop')
        test.check(f'another request for the running id is a conflict (killed: {kill})', other.code == 4 and 'PAWL_EXISTS' in other.err or
                   'PAWL_CONFLICT' in other.err, other)
        for node in cluster.nodes:
            if not node.is_running():
                node.start()
    listed = test.pawl_ok('-o', 'json', 'wf', 'ls', namespace='shop').json['instances']
    test.check('there is one run of each', len(listed) == 3, listed)


def case_start_without_an_id(test):
    cluster = test.cluster(3).form()
    test.pawl_ok('def', 'deploy', os.path.join(HERE, 'hold.yaml'))
    words = ['-o', 'json', 'wf', 'start', 'hold', '--request', str(uuid.uuid4())]
    first = test.pawl_ok(*words, namespace='shop').json
    cluster.leader().kill()
    again = test.pawl_ok(*words, namespace='shop').json
    test.check('the same request gives the same run and the same drawn id', (again['run'], again['workflowId']) == (first['run'], first['workflowId']),
               (first, again))


def case_ask_while_nobody_leads(test):
    cluster = test.cluster(3).form()
    test.pawl_ok('def', 'deploy', os.path.join(HERE, 'hold.yaml'))
    request = str(uuid.uuid4())
    words = ['-o', 'json', '--timeout', '3s', 'wf', 'start', 'hold', '--id', 'late', '--request', request]
    leader = cluster.leader()
    for node in cluster.followers():
        node.kill()
    unknown = test.pawl(*words, namespace='shop')
    test.check('without a quorum a start is not acknowledged', unknown.code == 5, unknown)
    for node in cluster.nodes:
        if node is not leader:
            node.start(wait=False)
    cluster.leader()
    late = test.pawl_ok(*words, namespace='shop').json
    again = test.pawl_ok(*words, namespace='shop').json
    test.check('the same request works when there is one, once', late['run'] == again['run'], (late, again))
    listed = test.pawl_ok('-o', 'json', 'wf', 'ls', namespace='shop').json['instances']
    test.check('there is one run', len(listed) == 1, listed)


main([case_start_twice, case_start_without_an_id, case_ask_while_nobody_leads])
