"""The order example under load: its services, its feeder and its audits.

The evidence comes from outside of the cluster. order-audit compares the services' ledgers with the cluster's histories; audit_ledgers() looks at the
ledgers alone.
"""
import os
import re
import time

from cluster import Failed, ORDER, wait_until

SERVICES = ('payment', 'inventory', 'shipping', 'review')


def fence_of(text):
    return tuple(int(part) for part in text.split('-'))


class Ledger:
    """What one service wrote: lines fact, time, fence, key, and more."""

    def __init__(self, path):
        self.path = path

    def lines(self):
        if not os.path.exists(self.path):
            return []
        with open(self.path) as file:
            return [line.rstrip('\n').split('\t') for line in file if line.endswith('\n')]


class Shop:
    def __init__(self, test, cluster, orders_path, orders, open_max, delay_ms):
        self.test, self.cluster = test, cluster
        self.orders, self.open_max, self.delay_ms = orders, open_max, delay_ms
        self.orders_path = orders_path
        self.services = {}
        self.ledgers = [Ledger(test.path(f'{service}.ledger')) for service in SERVICES]
        self.kills = []
        self.begin = time.monotonic()
        self.feed = None

    def open(self):
        self.test.pawl_ok('def', 'deploy', os.path.join(ORDER, 'order.yaml'))
        for service in SERVICES:
            self.start_service(service)
        return self

    def start_service(self, service):
        program = os.path.join(self.test.examples, f'order-{service}')
        ledger = self.test.path(f'{service}.ledger')
        self.services[service] = self.test.spawn(service, [program, '--nodes', self.cluster.connection, '--ledger', ledger, '--delay-ms',
                                                           self.delay_ms])

    def start_feed(self):
        program = os.path.join(self.test.examples, 'order-feed')
        self.feed = self.test.spawn('feed', [program, '--nodes', self.cluster.connection, '--orders', self.orders_path,
                                             '--count', self.orders, '--open', self.open_max, '--status', self.test.path('status'),
                                             '--results', self.test.path('results')])
        return self

    def progress(self):
        """started, open, ended"""
        try:
            with open(self.test.path('status')) as file:
                words = file.read().split()
        except FileNotFoundError:
            return 0, 0, 0
        return int(words[1]), int(words[3]), int(words[5])

    def has_fed(self):
        return not self.feed.is_running()

    def wait_ended(self, count, deadline_s=90):
        wait_until(f'{count} orders to have ended', lambda: self.progress()[2] >= count or self.has_fed(), deadline_s)

    def wait_more(self, count):
        self.wait_ended(self.progress()[2] + count)

    def kill(self, node, role):
        self.kills.append((time.time_ns() // 1000, node.name, role, self.progress()[1]))
        node.kill()

    def mark(self, node, what):
        self.kills.append((time.time_ns() // 1000, node.name, what, self.progress()[1]))

    def finish(self, deadline_s=180):
        """Wait for every order, stop the services in order, and audit."""
        code = self.feed.wait(deadline_s)
        if code != 0:
            raise Failed(f'order-feed ended with {code}: {self.feed.log()[-1500:]}')
        for service in self.services.values():
            if service.is_running():
                service.terminate()
        for name, service in self.services.items():
            service.wait()
        self.audit()
        self.test.check('the ledgers agree among themselves', not audit_ledgers(self.ledgers), audit_ledgers(self.ledgers))

    def audit(self):
        kills = self.test.write('kills', ''.join(f'{at} {node} {role} {is_open}\n' for at, node, role, is_open in self.kills))
        program = os.path.join(self.test.examples, 'order-audit')
        audit = self.test.spawn('audit', [program, '--nodes', self.cluster.connection, '--results', self.test.path('results'), '--kills', kills,
                                          '--seconds', time.monotonic() - self.begin] + [ledger.path for ledger in self.ledgers])
        code = audit.wait()
        with open(self.test.path('results')) as file:
            results = [line.split('\t')[0] for line in file]
        self.test.check('every order ended once', len(results) == self.orders == len(set(results)), f'{len(results)} results')
        self.test.check('nothing was lost, run again or told differently', code == 0, audit.log()[-3000:])
        gaps = sorted(int(ms) for ms in re.findall(r'^ +kill -9 of .*?(\d+) +ms ', audit.log(), re.M))
        if gaps:
            self.test.note(f'{len(gaps)} faults; from a fault to the next acknowledged step: median {gaps[(len(gaps) - 1) // 2]} ms, longest {gaps[-1]} ms')
        for figure in ('steps per second', 'steps handed out twice'):
            self.test.note(f'{figure}: {re.search(figure + r" +(.+?)(  |$)", audit.log(), re.M)[1]}')


def audit_ledgers(ledgers):
    """What no ledger may show, whatever the cluster says: an empty string when all is well."""
    acknowledged, newest, outcomes = {}, {}, {}
    for ledger in ledgers:
        for line in ledger.lines():
            fact, fence, key = line[0], line[2], line[3]
            if fact == 'start':
                if key in newest and fence_of(fence) <= newest[key]:
                    return f'the fence of {key} did not rise: {fence} after {newest[key]}'
                if key in acknowledged:
                    return f'{key} was handed out under {fence} after {acknowledged[key]} was acknowledged as completed'
                newest[key] = fence_of(fence)
            elif fact == 'end':
                outcomes[fence] = line[4]
            elif fact == 'ack' and line[4] == 'OK' and outcomes.get(fence) == 'completed':
                if key in acknowledged:
                    return f'{key} was acknowledged under {acknowledged[key]} and under {fence}'
                acknowledged[key] = fence
    return ''
