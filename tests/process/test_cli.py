"""The command line program against a real cluster: exit codes, shapes, hints, and any program as a worker."""
import json
import os
import re

from cluster import ORDER, main, wait_until

HERE = os.path.dirname(os.path.abspath(__file__))
UUID = r'^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$'

FLOW = '''
document: { dsl: '1.0.3', namespace: default, name: NAME, version: '1.0.0' }
do:
  - only: BODY
'''


def _flow(test, name, body):
    return test.write(f'{name}.yaml', FLOW.replace('NAME', name).replace('BODY', body))


def _expect(test, what, code, words, stdout='', stderr='', **named):
    outcome = test.pawl(*words, **named)
    fits = outcome.code == code and re.search(stdout, outcome.out, re.S) and re.search(stderr, outcome.err, re.S)
    test.check(what, fits, f'wanted {code}, {stdout!r}, {stderr!r}; {outcome}')
    return outcome


def case_without_a_cluster(test):
    _expect(test, 'version', 0, ['version'], r'^pawl \d+\.\d+')
    everything = _expect(test, 'help', 0, ['--help'], r'usage: pawl .*exit codes').out
    commands = re.findall(r'^  ((?:cluster|def|wf) \w+|expr|run|version)\b', everything, re.M)
    test.check('help lists the commands', len(commands) >= 13, commands)
    for command in commands:
        words = command.split()
        text = _expect(test, f'help of {command}', 0, words + ['--help'], rf'^usage: pawl {command}').out
        test.check(f'help of {command} has an example', re.search(rf'example\n  pawl {command}', text), text)
    _expect(test, 'nothing at all is wrong usage', 2, [], r'usage: pawl')
    for words, hint in ((['frobnicate'], ''), (['wf', 'strat', 'x'], 'start'), (['wf', 'start'], ''), (['wf', 'ls', '--limt', '3'], 'limit'),
                        (['wf', 'ls', '--limit', 'many'], ''), (['wf', 'ls', '-o', 'xml'], 'json'), (['run', '--type', 't'], ''),
                        (['wf', 'ls', '--timeout', 'soon'], ''), (['cluster', 'init'], 'peers')):
        _expect(test, f'`{" ".join(words)}` is wrong usage', 2, words, '', rf'error\[PAWL_INVALID\].*{hint}')
    refused = _expect(test, 'no node listens: unavailable', 5, ['--nodes', '127.0.0.1:1', '--timeout', '1s', 'wf', 'ls'], '', r'error\[PAWL_\w+\].*hint: ')
    test.check('an error has a hint', 'hint: ' in refused.err, refused)
    problem = test.pawl('--nodes', '127.0.0.1:1', '--timeout', '1s', '-o', 'json', 'wf', 'ls')
    error = json.loads(problem.err)
    test.check('an error as JSON', error['code'].startswith('PAWL_') and error['retryable'] and error['outcome'] in ('none', 'unknown'), problem)


def case_expressions(test):
    for expression, stdin, out in (('.items | map(.price) | add', '{"items":[{"price":1.5},{"price":2}]}', '3.5'), ('1 + 1', '', '2'),
                                   ('.[]', '[1,"a",null]', '1\n"a"\nnull'), ('{a: .b}', '{"b":[]}', '{"a":[]}'), ('empty', '1', '')):
        outcome = test.pawl('expr', expression, stdin=stdin)
        test.check(f'expr {expression}', outcome.code == 0 and outcome.out.strip() == out, outcome)
    _expect(test, 'an expression that is none says where', 1, ['expr', '.a | )'], '', r'error\[PAWL_\w+\]: 1:\d+: ')
    _expect(test, 'an expression that fails', 1, ['expr', '.a + 1'], '', r'error\[PAWL_EXPRESSION\]', stdin='{"a":{}}')
    _expect(test, 'an expression without end is stopped', 1, ['expr', 'def f: f; f'], '', r'error\[PAWL_\w+\]')
    _expect(test, 'input that is no JSON', 1, ['expr', '.'], '', r'error\[PAWL_INVALID\]', stdin='{"a":')


def case_lint(test):
    _expect(test, 'lint of a good definition', 0, ['def', 'lint', os.path.join(ORDER, 'order.yaml'), os.path.join(HERE, 'hold.yaml')],
            r'order@1\.0\.0 is well formed.*hold@1\.0\.0 is well formed')
    for name, body in (('unknown-task', '{ frobnicate: 1 }'), ('wrong-expression', "{ set: { a: '${ .b | ) }' } }"), ('no-yaml', '{ set: [1, }')):
        path = _flow(test, name, body)
        _expect(test, f'lint of {name} says where', 1, ['def', 'lint', path], '', rf'{re.escape(path)}:\d+:\d+: error: ')
    path = _flow(test, 'container', "{ run: { container: { image: alpine } } }")
    _expect(test, 'lint of what pawl does not run', 1, ['def', 'lint', path], '', r':\d+:\d+: error: ')
    _expect(test, 'lint of a file that is not there', 1, ['def', 'lint', test.path('nowhere.yaml')], '', r'nowhere\.yaml')


def case_definitions_and_workflows(test):
    test.cluster(3).form()
    good = _flow(test, 'give', "{ set: { got: '${ . }' } }")
    _expect(test, 'deploy', 0, ['def', 'deploy', good], r'deployed default/give@1\.0\.0')
    _expect(test, 'deploy again', 0, ['def', 'deploy', good], r'unchanged default/give@1\.0\.0')
    again = test.pawl_ok('-o', 'json', 'def', 'deploy', good).json
    test.check('deploy again as JSON', again['existing'] is True and again['name'] == 'give' and again['version'] == '1.0.0', again)
    with open(good) as file:
        changed = test.write('changed.yaml', file.read().replace('got', 'changed'))
    _expect(test, 'another definition under the same version is a conflict', 4, ['def', 'deploy', changed], '', r'error\[PAWL_(CONFLICT|EXISTS)\]')
    _expect(test, 'deploy of a wrong definition says where', 1, ['def', 'deploy', _flow(test, 'wrong', '{ frobnicate: 1 }')], '', r':\d+:\d+')
    listed = test.pawl_ok('-o', 'json', 'def', 'ls').json['definitions']
    test.check('def ls', [(row['name'], row['version']) for row in listed] == [('give', '1.0.0')], listed)
    _expect(test, 'def ls as a table', 0, ['def', 'ls'], r'^NAMESPACE +NAME +VERSION +DEPLOYED\ndefault +give +1\.0\.0 +\S+\n$', r'^$')
    _expect(test, 'def show for people', 0, ['def', 'show', 'give'], r'^namespace: default\nname: give\nversion: 1\.0\.0\n')
    shown = test.pawl_ok('-o', 'json', 'def', 'show', 'give@1.0.0').json
    test.check('def show', shown['name'] == 'give', shown)
    _expect(test, 'def show of nothing', 3, ['def', 'show', 'nothing'], '', r'error\[PAWL_NOT_FOUND\]')

    started = test.pawl_ok('-o', 'json', 'wf', 'start', 'give', '--id', 'one', '-i', '{"a":[1,2.5,"ä"]}').json
    test.check('wf start', re.match(UUID, started['run']) and started['workflowId'] == 'one' and started['existing'] is False, started)
    result = test.pawl_ok('-o', 'json', 'wf', 'result', 'one').json
    test.check('wf result', result == {'got': {'a': [1, 2.5, 'ä']}}, result)
    waited = test.pawl_ok('-o', 'json', 'wf', 'start', 'give', '-i', '{"b":1}', '--wait').json
    test.check('wf start --wait prints the result', waited == {'got': {'b': 1}}, waited)
    drawn = test.pawl_ok('-o', 'json', 'wf', 'start', 'give').json
    test.check('an id is drawn', len(drawn['workflowId']) > 0, drawn)
    input_file = test.write('input.json', '{"from":"a file"}')
    _expect(test, 'input from a file', 0, ['wf', 'start', 'give', '-i', f'@{input_file}', '--wait'], r'from a file|a file')
    shown = test.pawl_ok('-o', 'json', 'wf', 'show', 'one').json
    test.check('wf show', shown['workflowId'] == 'one' and shown['status'] == 'completed', shown)
    events = test.pawl_ok('-o', 'json', 'wf', 'history', 'one').json['events']
    test.check('wf history', [event['event'] for event in events][0] == 'workflow-started' and events[-1]['event'] == 'workflow-completed', events)
    page = test.pawl_ok('-o', 'json', 'wf', 'ls', '--limit', 2).json
    test.check('wf ls in pages', len(page['instances']) == 2 and page['next'], page)
    rest = test.pawl_ok('-o', 'json', 'wf', 'ls', '--limit', 50, '--after', page['next']).json
    everyone = [row['run'] for row in page['instances'] + rest['instances']]
    test.check('the pages hold each run once', len(everyone) == len(set(everyone)) == 4, everyone)
    test.check('wf ls by status', not test.pawl_ok('-o', 'json', 'wf', 'ls', '--status', 'running').json['instances'])
    _expect(test, 'wf ls as a table', 0, ['wf', 'ls'], r'WORKFLOW +STATUS.*one +completed', r'^$')
    _expect(test, 'a page of it says that there are more, and what follows', 0, ['wf', 'ls', '--limit', 2], r'WORKFLOW +STATUS',
            rf'^there are more: add --after {page["next"]}$')
    _expect(test, 'no page has more rows than the largest', 2, ['wf', 'ls', '--limit', 1001], '^$', 'from 1 to 1000')
    _expect(test, 'wf show for people', 0, ['wf', 'show', 'one'], r'workflowId: one\n.*status: completed\n')
    _expect(test, 'wf history as a table', 0, ['wf', 'history', 'one'], r'^TIME +EVENT +DETAILS\n\S+ +workflow-started .*workflow-completed')
    _expect(test, 'cluster status for people', 0, ['cluster', 'status'], r'role: \w+\n.*NODE +NAME +PEER +CLIENT.*\n3 +n3 ')

    test.pawl_ok('def', 'deploy', _flow(test, 'take', '{ set: { taken: true } }'))
    page = _expect(test, 'def ls in pages says so too', 0, ['def', 'ls', '--limit', 1], 'give', r'^there are more: add --after \S+$')
    _expect(test, 'its other page', 0, ['def', 'ls', '--after', page.err.split()[-1]], r'VERSION +DEPLOYED\ndefault +take +1\.0\.0 +\S+\n$', r'^$')

    for words in (['wf', 'show', 'nobody'], ['wf', 'result', 'nobody'], ['wf', 'history', 'nobody'], ['wf', 'start', 'nothing']):
        _expect(test, f'{words[1]} of nothing', 3, words, '', r'error\[PAWL_NOT_FOUND\]')
    _expect(test, 'input that is no JSON', 1, ['wf', 'start', 'give', '-i', '{'], '', r'error\[PAWL_INVALID\]')
    large = test.write('large.json', json.dumps({'text': 'x' * 900000}))
    _expect(test, 'a large input', 0, ['wf', 'start', 'give', '-i', f'@{large}', '--id', 'large'])
    test.check('comes back whole', len(test.pawl_ok('-o', 'json', 'wf', 'result', 'large').json['got']['text']) == 900000)
    too_large = test.write('too-large.json', json.dumps({'text': 'x' * 2000000}))
    _expect(test, 'one that is too large', 2, ['wf', 'start', 'give', '-i', f'@{too_large}'], '', r'larger than 1048576 bytes')
    _expect(test, 'another namespace is another world', 3, ['-n', 'other', 'wf', 'show', 'one'])


def case_conflicts_and_failures(test):
    test.cluster(3).form()
    test.pawl_ok('def', 'deploy', _flow(test, 'long', '{ wait: PT1H }'), _flow(test, 'bad', "{ raise: { error: { type: 'https://example.com/no', status: 500, "
                                                                                 "title: no } } }"))
    first = test.pawl_ok('-o', 'json', 'wf', 'start', 'long', '--id', 'x').json
    _expect(test, 'an id that runs is a conflict', 4, ['wf', 'start', 'long', '--id', 'x'], '', r'error\[PAWL_(EXISTS|CONFLICT)\]')
    existing = test.pawl_ok('-o', 'json', 'wf', 'start', 'long', '--id', 'x', '--on-conflict', 'use-existing').json
    test.check('unless the existing one will do', existing['existing'] is True and existing['run'] == first['run'], existing)
    _expect(test, 'a result that does not come in time', 5, ['--timeout', '1s', 'wf', 'result', 'x'], '', r'error\[PAWL_TIMEOUT\]')
    _expect(test, 'a workflow that failed', 7, ['wf', 'start', 'bad', '--id', 'y', '--wait'], '', r'error\[PAWL_WORKFLOW_FAILED\]')
    _expect(test, 'its result', 7, ['wf', 'result', 'y'], '', r'example\.com/no|error\[PAWL_WORKFLOW_FAILED\]')
    _expect(test, 'an id that has ended may be rejected', 4, ['wf', 'start', 'long', '--id', 'y', '--on-reuse', 'reject'], '', r'error\[PAWL_')
    replaced = test.pawl_ok('-o', 'json', 'wf', 'start', 'long', '--id', 'x', '--on-conflict', 'terminate').json
    test.check('a run can replace another one', replaced['run'] != first['run'], replaced)


WORKER = '''
import json, os, sys
task = json.load(sys.stdin)
if task.get("fail"):
    sys.exit("it is meant to fail")
names = ("PAWL_TYPE", "PAWL_NAMESPACE", "PAWL_WORKFLOW_ID", "PAWL_RUN", "PAWL_ATTEMPT", "PAWL_FENCE", "PAWL_IDEMPOTENCY_KEY")
json.dump({"input": task, "environment": {name: os.environ.get(name) for name in names}}, sys.stdout)
'''


def case_any_program_as_a_worker(test):
    test.cluster(3).form()
    body = """{ call: shell.work, with: { n: '${ .n }', fail: '${ .fail // false }' } }"""
    test.pawl_ok('def', 'deploy', _flow(test, 'work', body))
    script = test.write('worker.py', WORKER)
    worker = test.spawn('worker', test.words('run', '--type', 'shell.work', '--concurrency', 2, '--', 'python3', script))
    answers = [test.pawl_ok('-o', 'json', 'wf', 'start', 'work', '--id', f'w{n}', '-i', json.dumps({'n': n}), '--wait').json for n in range(3)]
    test.check('it is given its input', [answer['input']['n'] for answer in answers] == [0, 1, 2], answers)
    environments = [answer['environment'] for answer in answers]
    test.check('it knows its step', all(e['PAWL_TYPE'] == 'shell.work' and e['PAWL_NAMESPACE'] == 'default' and e['PAWL_WORKFLOW_ID'] == f'w{n}' and
                                        e['PAWL_ATTEMPT'] == '1' and re.match(UUID, e['PAWL_RUN']) for n, e in enumerate(environments)), environments)
    fences = [tuple(map(int, e['PAWL_FENCE'].split('-'))) for e in environments]
    test.check('its fences rise', fences == sorted(set(fences)) and all(len(fence) == 4 for fence in fences), fences)
    test.check('its keys differ', len({e['PAWL_IDEMPOTENCY_KEY'] for e in environments}) == 3, environments)
    _expect(test, 'a program that fails fails its step', 7, ['wf', 'start', 'work', '-i', '{"fail":true}', '--wait'], '', 'it is meant to fail')
    worker.terminate()
    test.check('it stops in order', worker.wait() == 0, worker.log())


main([case_without_a_cluster, case_expressions, case_lint, case_definitions_and_workflows, case_conflicts_and_failures, case_any_program_as_a_worker])
