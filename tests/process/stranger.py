"""A stranger at a port of a node: frames and messages written by hand, right or wrong.

Knows of the protocol only what is needed to be heard: the frame head, msgpack, and the numbers of the fields that it fills.
"""
import os
import socket
import struct

HELLO, WELCOME, LEADER, ATTACH, ATTACHED, REQUEST, RESPONSE, HANDOUTS, HEARTBEAT, GOODBYE = range(1, 11)
PEER_HELLO, PEER_RAFT, PEER_PROBE, PEER_PROBED, PEER_FORM, PEER_FORMED = range(32, 38)
START, REPORT, DEPLOY, SHOW, LIST, HISTORY, RESULT, DEFINITION_LIST, DEFINITION_SHOW, STATUS, INIT = range(1, 12)
PRE_VOTE, PRE_VOTE_REPLY, VOTE, VOTE_REPLY, APPEND, APPEND_REPLY = range(1, 7)
NOOP, COMMAND, CONFIGURATION = range(1, 4)
FRAME_HEAD = struct.Struct('<IB3x')


def _pack_sized(kinds, size):
    """kinds: (largest size, format of the head) from small to large."""
    for largest, head in kinds:
        if size <= largest:
            return head(size)
    raise ValueError(f'{size} is too large')


def _heads(fix, fix_max, first, widths):
    heads = [(fix_max, lambda size: bytes([fix | size]))] if fix is not None else []
    for i, width in enumerate(widths):
        heads.append((256 ** struct.calcsize(width) - 1, lambda size, code=first + i, width=width: struct.pack(f'>B{width}', code, size)))
    return heads


_BINARY = _heads(None, 0, 0xc4, 'BHI')
_STRING = _heads(0xa0, 31, 0xd9, 'BHI')
_ARRAY = _heads(0x90, 15, 0xdc, 'HI')
_MAP = _heads(0x80, 15, 0xde, 'HI')


class Raw(bytes):
    """Bytes that are packed already."""


def pack(value):
    if isinstance(value, Raw):
        return bytes(value)
    if value is None:
        return b'\xc0'
    if isinstance(value, bool):
        return b'\xc3' if value else b'\xc2'
    if isinstance(value, int):
        if 0 <= value < 128:
            return bytes([value])
        return struct.pack('>BQ', 0xcf, value) if value >= 0 else struct.pack('>Bq', 0xd3, value)
    if isinstance(value, float):
        return struct.pack('>Bd', 0xcb, value)
    if isinstance(value, bytes):
        return _pack_sized(_BINARY, len(value)) + value
    if isinstance(value, str):
        text = value.encode()
        return _pack_sized(_STRING, len(text)) + text
    if isinstance(value, list):
        return _pack_sized(_ARRAY, len(value)) + b''.join(pack(element) for element in value)
    return _pack_sized(_MAP, len(value)) + b''.join(pack(key) + pack(element) for key, element in value.items())


class _Reader:
    def __init__(self, data):
        self.data, self.at = data, 0

    def take(self, size):
        self.at += size
        return self.data[self.at - size:self.at]

    def number(self, layout):
        return struct.unpack(f'>{layout}', self.take(struct.calcsize(layout)))[0]

    def many(self, count, of_map):
        return {self.value(): self.value() for _ in range(count)} if of_map else [self.value() for _ in range(count)]

    def value(self):
        code = self.take(1)[0]
        if code < 0x80 or code >= 0xe0:
            return code if code < 0x80 else code - 256
        if code < 0xa0:
            return self.many(code & 15, code < 0x90)
        if code < 0xc0:
            return self.take(code & 31).decode()
        if code in (0xc0, 0xc2, 0xc3):
            return {0xc0: None, 0xc2: False, 0xc3: True}[code]
        if code in (0xc4, 0xc5, 0xc6):
            return self.take(self.number('BHI'[code - 0xc4]))
        if code in (0xca, 0xcb):
            return self.number('fd'[code - 0xca])
        if 0xcc <= code <= 0xd3:
            return self.number('BHIQbhiq'[code - 0xcc])
        if code in (0xd9, 0xda, 0xdb):
            return self.take(self.number('BHI'[code - 0xd9])).decode()
        return self.many(self.number('HIHI'[code - 0xdc]), code >= 0xde)


def unpack(data):
    return _Reader(data).value()


def frame(kind, message=b''):
    body = message if isinstance(message, bytes) else pack(message)
    return FRAME_HEAD.pack(len(body), kind) + body


class Gone(Exception):
    """The node has closed the connection."""


class Stranger:
    """One connection to a node."""

    def __init__(self, address, deadline_s=20):
        host, port = address.rsplit(':', 1)
        self.socket = socket.create_connection((host, int(port)), timeout=deadline_s)
        self.input, self.correlation, self.term, self.attachment = b'', 0, 0, 0
        self.session = os.urandom(16)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.socket.close()

    def send_bytes(self, data):
        try:
            self.socket.sendall(data)
        except (ConnectionError, BrokenPipeError):
            raise Gone() from None

    def send(self, kind, message=b''):
        self.send_bytes(frame(kind, message))

    def _read(self, size):
        while len(self.input) < size:
            try:
                more = self.socket.recv(1 << 16)
            except ConnectionError:
                more = b''
            if not more:
                raise Gone()
            self.input += more
        taken, self.input = self.input[:size], self.input[size:]
        return taken

    def read(self):
        """The next frame: its type and its message."""
        size, kind = FRAME_HEAD.unpack(self._read(FRAME_HEAD.size))
        return kind, unpack(self._read(size))

    def read_until(self, wanted):
        while True:
            kind, message = self.read()
            if kind == wanted:
                return message

    def is_closed_by_node(self):
        """Waits until it is; what the node still says is skipped."""
        try:
            while True:
                self.read()
        except Gone:
            return True
        except socket.timeout:
            return False

    def greet(self):
        self.send(HELLO, {1: 1, 2: 1, 4: self.session, 5: 'stranger'})
        self.welcome = self.read_until(WELCOME)
        return self

    def attach(self, credit=0, types=(), held=()):
        """To the leader of the term that the node has named."""
        if not self.term:
            self.term = self.read_until(LEADER)[2]
        self.attachment += 1
        self.send(ATTACH, {2: self.term, 3: self.attachment, 4: self.session, 5: credit, 6: list(types), 7: list(held)})
        return self.read_until(ATTACHED).get(4, 0)

    def request(self, kind, body, **fields):
        """Send it; its correlation."""
        self.correlation += 1
        message = {1: self.correlation, 3: self.term, 4: self.attachment, 5: os.urandom(16), 6: kind, 7: pack(body)}
        message.update({int(key[1:]): value for key, value in fields.items()})
        self.send(REQUEST, message)
        return self.correlation

    def ask(self, kind, body, **fields):
        """Send it and wait for its response."""
        correlation = self.request(kind, body, **fields)
        while True:
            response = self.read_until(RESPONSE)
            if response[1] == correlation:
                return response


def peer_hello(cluster, sender, receiver):
    return {1: 1, 2: 1, 3: cluster, 4: sender, 5: receiver, 6: 'stranger'}


def raft_message(sender, receiver, kind, term, **fields):
    """Fields by number: f6 previous index, f7 its term, f8 commit, f9 round, f10 rejected, f11 match, f12 f13 hint, f14 entries, f15 clock."""
    message = {2: sender, 3: receiver, 4: kind, 5: term}
    message.update({int(key[1:]): value for key, value in fields.items()})
    return message
