"""The order workflow while nodes are killed, paused and started again: nothing that was acknowledged is lost."""
import json
import os
import time

from cluster import ORDER, main, wait_until
from shop import Shop


def _write_orders(test, count):
    """As many orders as wanted: those of the example, with other ids, and settled soon."""
    with open(os.path.join(ORDER, 'orders.jsonl')) as file:
        examples = [json.loads(line) for line in file]
    lines = []
    for i in range(count):
        order = dict(examples[i % len(examples)], orderId=f'order-{i:06d}', settle='PT0.2S')
        lines.append(json.dumps(order, separators=(',', ':')))
    return test.write('orders.jsonl', '\n'.join(lines) + '\n')


def _open_shop(test, orders, open_max, delay_ms=20, nodes=3):
    cluster = test.cluster(nodes).form()
    return cluster, Shop(test, cluster, _write_orders(test, orders), orders, open_max, delay_ms).open().start_feed()


def case_kill_the_leader(test):
    cluster, shop = _open_shop(test, orders=240, open_max=30)
    shop.wait_ended(30)
    leader = cluster.leader()
    shop.kill(leader, 'leader')
    shop.wait_more(30)
    leader.start()
    shop.wait_more(30)
    test.check('orders were open at the kill', shop.kills[0][3] > 0)
    second = cluster.leader()
    shop.kill(second, 'leader')
    second.start()
    shop.finish()
    cluster.wait_level()
    test.check('every node is level again', True)


def case_kill_a_follower(test):
    cluster, shop = _open_shop(test, orders=180, open_max=30)
    for _ in range(2):
        shop.wait_more(25)
        follower = test.random.choice(cluster.followers())
        shop.kill(follower, 'follower')
        shop.wait_more(25)
        follower.start()
    test.check('orders were open at the kills', all(kill[3] > 0 for kill in shop.kills))
    shop.finish()
    cluster.wait_level()
    test.check('every node is level again', True)


def case_kill_all_at_once(test):
    cluster, shop = _open_shop(test, orders=180, open_max=30)
    for _ in range(2):
        shop.wait_more(30)
        for node in cluster.nodes:
            shop.kill(node, 'all')
        for node in cluster.nodes:
            node.start(wait=False)
        cluster.leader()
    test.check('orders were open at the kills', all(kill[3] > 0 for kill in shop.kills))
    shop.finish()
    cluster.wait_level()
    test.check('every node is level again', True)


def case_kill_two_of_five(test):
    cluster, shop = _open_shop(test, orders=180, open_max=30, nodes=5)
    shop.wait_more(25)
    leader = cluster.leader()
    follower = test.random.choice([node for node in cluster.nodes if node is not leader])
    for node in (leader, follower):
        shop.kill(node, 'two')
    shop.wait_more(40)
    test.check('three of five go on', shop.progress()[2] >= 65 or shop.has_fed())
    leader.start()
    follower.start()
    shop.finish()
    cluster.wait_level()
    test.check('every node is level again', True)


def case_pause_the_leader(test):
    """For far longer than an election; what the old leader still believes counts for nothing."""
    cluster, shop = _open_shop(test, orders=300, open_max=30)
    shop.wait_ended(30)
    old = cluster.leader()
    shop.mark(old, 'paused')
    old.pause()
    begin = time.monotonic()
    others = [node for node in cluster.nodes if node is not old]
    new = cluster.leader(others)
    gap_s = time.monotonic() - begin
    wait_until('the pause to be long and work to go on',
               lambda: time.monotonic() - begin > 3 and (shop.progress()[2] > 60 or shop.has_fed()))
    old.resume()
    wait_until('the old leader to follow', lambda: old.status()['role'] == 'follower')
    test.note(f'another leader after {gap_s:.2f} s')
    test.check('another node led during the pause', new is not old)
    shop.finish()
    cluster.wait_level()
    test.check('every node is level again', True)


def _kill_and_start(test, cluster, shop):
    node = test.random.choice(cluster.nodes)
    shop.kill(node, 'random')
    if test.random.random() < 0.5:
        cluster.leader()
    node.start(wait=False)


def _kill_two(test, cluster, shop):
    """No quorum for a while."""
    nodes = test.random.sample(cluster.nodes, 2)
    for node in nodes:
        shop.kill(node, 'two')
    for node in nodes:
        node.start(wait=False)


def _kill_all(test, cluster, shop):
    for node in cluster.nodes:
        shop.kill(node, 'all')
    for node in cluster.nodes:
        node.start(wait=False)


def _pause_and_resume(test, cluster, shop):
    node = test.random.choice(cluster.nodes)
    shop.mark(node, 'paused')
    node.pause()
    end = time.monotonic() + test.random.uniform(0.05, 2.5)
    wait_until('the pause to end', lambda: time.monotonic() > end)
    node.resume()


def _stop_and_start(test, cluster, shop):
    node = test.random.choice(cluster.nodes)
    shop.mark(node, 'stopped')
    code = node.stop()
    test.check(f'{node.name} stops in order', code == 0, f'exit status {code}')
    node.start(wait=False)


def _restart_service(test, cluster, shop):
    name = test.random.choice(sorted(shop.services))
    service = shop.services[name]
    if test.random.random() < 0.5:
        service.kill()
    else:
        service.terminate()
        service.wait()
    shop.start_service(name)


def _kill_and_cut_the_log(test, cluster, shop):
    """One log at a time: the others must have whatever this one loses."""
    cluster.wait_level()
    node = test.random.choice(cluster.nodes)
    shop.kill(node, 'cut')
    path = node.newest_segment()
    with open(path, 'rb') as file:
        written = len(file.read().rstrip(b'\0'))
    os.truncate(path, test.random.randrange(1024, max(written, 1025)))
    node.start(wait=False)
    wait_until('the vote to be back', lambda: not node.status()['voteWithheld'])


def case_random_faults(test):
    orders = int(30 * test.options.seconds)
    cluster, shop = _open_shop(test, orders, open_max=20, delay_ms=30)
    faults = {_kill_and_start: 6, _kill_two: 2, _kill_all: 1, _pause_and_resume: 4, _stop_and_start: 2, _restart_service: 2, _kill_and_cut_the_log: 2}
    end = time.monotonic() + test.options.seconds
    count = 0
    while time.monotonic() < end and not shop.has_fed():
        shop.wait_more(test.random.randrange(1, 25))
        fault = test.random.choices(list(faults), weights=list(faults.values()))[0]
        fault(test, cluster, shop)
        count += 1
    test.note(f'{count} faults over {shop.progress()[2]} orders')
    test.check('there were faults', count > 0)
    shop.finish(deadline_s=240)
    cluster.wait_level()
    test.check('every node is level again', True)


main([case_kill_the_leader, case_kill_a_follower, case_kill_all_at_once, case_kill_two_of_five, case_pause_the_leader, case_random_faults])
