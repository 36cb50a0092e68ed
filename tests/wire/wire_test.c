/* Frames over real loopback sockets. Every test drives its own wires and waits for observed events.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "wire/wire.h"

enum { DEADLINE_POLLS = 600, POLL_MS = 100, DIAL_MS = 2000 };

struct bed {
    struct wire *server, *client;
    char address[32];
    struct bytes target;
};

static struct wire *wire_of(const struct wire_options *options)
{
    struct wire *wire = NULL;
    struct pawl_diag diag;
    assert_int_equal(wire_new(options, &wire, &diag), PAWL_OK);
    return wire;
}

static void bed_open(struct bed *bed, const struct wire_options *server,
                     const struct wire_options *client)
{
    uint16_t port = 0;
    struct pawl_diag diag;
    bed->server = wire_of(server);
    bed->client = wire_of(client);
    assert_int_equal(wire_listen(bed->server, "127.0.0.1:0", 7, &port, &diag), PAWL_OK);
    assert_int_not_equal(port, 0);
    snprintf(bed->address, sizeof bed->address, "127.0.0.1:%u", port);
    bed->target = bytes_string(bed->address);
}

static void bed_close(struct bed *bed)
{
    wire_free(bed->client);
    wire_free(bed->server);
}

/* Wait until the wire has events; fails the test after a generous deadline. */
static size_t events_wait(struct wire *wire, const struct wire_event **events_out)
{
    for (int i = 0; i < DEADLINE_POLLS; i++) {
        struct pollfd poller = {.fd = wire_fd(wire), .events = POLLIN};
        poll(&poller, 1, POLL_MS);
        size_t count = wire_take(wire, events_out);
        if (count > 0)
            return count;
    }
    fail_msg("no event in time");
    return 0;
}

/* The next event, which must be the only one that waits. */
static struct wire_event event_wait(struct wire *wire)
{
    const struct wire_event *events;
    assert_int_equal(events_wait(wire, &events), 1);
    return events[0];
}

static uint64_t dial(struct bed *bed)
{
    uint64_t connection = wire_dial(bed->client, bed->target, 3, DIAL_MS);
    assert_true(connection != 0);
    struct wire_event event = event_wait(bed->client);
    assert_int_equal(event.kind, WIRE_DIALLED);
    assert_true(event.connection == connection);
    assert_true(event.tag == 3);
    return connection;
}

static uint64_t accept_one(struct bed *bed)
{
    struct wire_event event = event_wait(bed->server);
    assert_int_equal(event.kind, WIRE_ACCEPTED);
    assert_true(event.tag == 7);
    return event.connection;
}

/* A plain socket connected to the bed's server. */
static int raw_dial(const struct bed *bed)
{
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_true(fd >= 0);
    struct sockaddr_in address = {
        .sin_family = AF_INET,
        .sin_port = htons((uint16_t)atoi(strchr(bed->address, ':') + 1)),
        .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
    };
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
    return fd;
}

static void raw_write(int fd, const void *data, size_t size)
{
    for (size_t done = 0; done < size;) {
        ssize_t written = write(fd, (const char *)data + done, size - done);
        assert_true(written > 0);
        done += (size_t)written;
    }
}

static uint8_t pattern(size_t frame, size_t at)
{
    return (uint8_t)(frame * 131 + at * 7 + (at >> 8));
}

/* Sizes of the echo test: small ones, the edges of the receive blocks, and large ones. */
static const size_t sizes[] = {0,      1,      7,       8,     100,   300,   4079,  4080,
                               4081,   4096,   16384,   65519, 65520, 65528, 65536, 65537,
                               100000, 262144, 1000000, 3,     0,     5000,  60000, 9,
                               130000, 131064, 2500000, 12,    1,     2};
enum { SIZE_COUNT = sizeof sizes / sizeof sizes[0] };

static void frame_check(const struct wire_event *event, size_t frame)
{
    assert_int_equal(event->kind, WIRE_FRAME);
    assert_int_equal(event->type, frame % 200 + 1);
    assert_int_equal(event->body.size, sizes[frame % SIZE_COUNT]);
    for (size_t at = 0; at < event->body.size; at++)
        if (event->body.data[at] != pattern(frame, at))
            fail_msg("frame %zu differs at byte %zu", frame, at);
}

static void echo_all(struct wire *server)
{
    const struct wire_event *events;
    size_t count = wire_take(server, &events);
    for (size_t i = 0; i < count; i++)
        if (events[i].kind == WIRE_FRAME)
            assert_true(wire_send(server, events[i].connection, events[i].type, events[i].body));
    wire_flush(server);
}

static void test_echo_many_sizes_arrive_whole_and_in_order(void **state)
{
    (void)state;
    enum { FRAMES = SIZE_COUNT * 8 };
    struct bed bed;
    bed_open(&bed, NULL, NULL);
    uint64_t connection = dial(&bed);
    uint8_t *body = malloc(3000000);
    size_t sent = 0, received = 0;
    while (received < FRAMES) {
        for (; sent < FRAMES && sent < received + SIZE_COUNT / 2; sent++) {
            size_t size = sizes[sent % SIZE_COUNT];
            for (size_t at = 0; at < size; at++)
                body[at] = pattern(sent, at);
            assert_true(
                wire_send(bed.client, connection, (uint8_t)(sent % 200 + 1), bytes_of(body, size)));
        }
        wire_flush(bed.client);
        struct pollfd pollers[2] = {{.fd = wire_fd(bed.client), .events = POLLIN},
                                    {.fd = wire_fd(bed.server), .events = POLLIN}};
        assert_true(poll(pollers, 2, DEADLINE_POLLS * POLL_MS) > 0);
        echo_all(bed.server);
        const struct wire_event *events;
        size_t count = wire_take(bed.client, &events);
        for (size_t i = 0; i < count; i++)
            frame_check(&events[i], received++);
    }
    free(body);
    bed_close(&bed);
}

static void test_frames_byte_by_byte_are_cut_whole(void **state)
{
    (void)state;
    struct bed bed;
    bed_open(&bed, NULL, NULL);
    int fd = raw_dial(&bed);
    uint64_t connection = accept_one(&bed);
    static const uint8_t frames[] = {3, 0, 0, 0, 9, 0, 0, 0, 'a', 'b', 'c', 0, 0, 0,
                                     0, 8, 0, 0, 0, 1, 0, 0, 0,   7,   0,   0, 0, 'd'};
    static const struct {
        uint8_t type;
        const char *body;
    } expected[] = {{9, "abc"}, {8, ""}, {7, "d"}};
    size_t seen = 0;
    for (size_t i = 0; i < sizeof frames; i++) {
        raw_write(fd, &frames[i], 1);
        bool is_end = i == 10 || i == 18 || i == sizeof frames - 1;
        if (!is_end)
            continue;
        struct wire_event event = event_wait(bed.server);
        assert_int_equal(event.kind, WIRE_FRAME);
        assert_true(event.connection == connection);
        assert_int_equal(event.type, expected[seen].type);
        assert_true(bytes_equal(event.body, bytes_string(expected[seen].body)));
        seen++;
    }
    close(fd);
    struct wire_event event = event_wait(bed.server);
    assert_int_equal(event.kind, WIRE_CLOSED);
    bed_close(&bed);
}

static void test_bad_heads_close_the_connection(void **state)
{
    (void)state;
    static const struct {
        uint8_t head[8];
        const char *reason;
    } cases[] = {
        {{0xff, 0xff, 0xff, 0xff, 1, 0, 0, 0}, "a frame over the size limit"},
        {{0xf9, 0x03, 0, 0, 1, 0, 0, 0}, "a frame over the size limit"},
        {{1, 0, 0, 0, 1, 1, 0, 0}, "a frame with a head that is not one"},
        {{1, 0, 0, 0, 1, 0, 0, 9}, "a frame with a head that is not one"},
        {"GET / HT", "a frame with a head that is not one"},
    };
    struct bed bed;
    bed_open(&bed, &(struct wire_options){.frame_bytes_max = 1024}, NULL);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        int fd = raw_dial(&bed);
        uint64_t connection = accept_one(&bed);
        raw_write(fd, cases[i].head, 8);
        struct wire_event event = event_wait(bed.server);
        assert_int_equal(event.kind, WIRE_CLOSED);
        assert_true(event.connection == connection);
        assert_true(bytes_equal(event.reason, bytes_string(cases[i].reason)));
        char byte;
        assert_true(read(fd, &byte, 1) <= 0);
        close(fd);
    }
    bed_close(&bed);
}

static void test_largest_frame_is_taken(void **state)
{
    (void)state;
    struct bed bed;
    bed_open(&bed, &(struct wire_options){.frame_bytes_max = 1024}, NULL);
    uint64_t connection = dial(&bed);
    (void)accept_one(&bed);
    uint8_t body[1016] = {5};
    assert_true(wire_send(bed.client, connection, 1, bytes_of(body, sizeof body)));
    wire_flush(bed.client);
    assert_int_equal(event_wait(bed.server).body.size, 1016);
    bed_close(&bed);
}

static void test_output_limit_closes_instead_of_dropping(void **state)
{
    (void)state;
    struct bed bed;
    bed_open(&bed, &(struct wire_options){.output_bytes_max = 1 << 20}, NULL);
    int fd = raw_dial(&bed);
    uint64_t connection = accept_one(&bed);
    static uint8_t body[10000];
    size_t sent = 0;
    while (wire_send(bed.server, connection, 1, bytes_of(body, sizeof body))) {
        wire_flush(bed.server);
        assert_true(++sent < 100000);
    }
    assert_true(sent >= 100);
    struct wire_event event = event_wait(bed.server);
    assert_int_equal(event.kind, WIRE_CLOSED);
    assert_false(wire_send(bed.server, connection, 1, bytes_of(body, 1)));
    close(fd);
    bed_close(&bed);
}

static void test_untaken_input_stops_reading_and_resumes(void **state)
{
    (void)state;
    struct bed bed;
    bed_open(&bed, NULL, NULL);
    uint64_t connection = dial(&bed);
    (void)accept_one(&bed);
    static uint8_t body[32 << 10];
    enum { FRAMES = 1000 }; /* 32 MB: more than what the sockets hold */
    size_t sent = 0, received = 0, largest = 0;
    while (sent < 400 && wire_send(bed.client, connection, 1, bytes_of(body, sizeof body))) {
        sent++;
        wire_flush(bed.client);
    }
    while (received < FRAMES) {
        const struct wire_event *events;
        size_t count = events_wait(bed.server, &events);
        received += count;
        largest = count > largest ? count : largest;
        for (; sent < FRAMES && sent < received + 400; sent++)
            assert_true(wire_send(bed.client, connection, 1, bytes_of(body, sizeof body)));
        wire_flush(bed.client);
    }
    assert_true(largest <= 64); /* a bounded part at a time */
    bed_close(&bed);
}

/* What arrives while the owner works is there without any wait. */
static void test_frames_that_came_meanwhile_are_taken_at_once(void **state)
{
    (void)state;
    static const uint8_t frame[] = {2, 0, 0, 0, 4, 0, 0, 0, 'h', 'i'};
    struct bed bed;
    bed_open(&bed, NULL, NULL);
    int fd = raw_dial(&bed);
    (void)accept_one(&bed);
    raw_write(fd, frame, sizeof frame); /* over loopback it is there when write returns */
    for (size_t round = 0; round < 100; round++) {
        struct pollfd poller = {.fd = wire_fd(bed.server), .events = POLLIN};
        assert_int_equal(poll(&poller, 1, 0), 1);
        const struct wire_event *events;
        assert_int_equal(wire_take(bed.server, &events), 1);
        assert_true(bytes_equal(events[0].body, BYTES_LITERAL("hi")));
        raw_write(fd, frame, sizeof frame);
    }
    close(fd);
    bed_close(&bed);
}

/* Frames of which the sockets hold only a part, read when all of them were sent. */
static void test_output_that_must_wait_arrives_whole_and_in_order(void **state)
{
    (void)state;
    enum { FRAMES = 150, BODY_BYTES = 100000 };
    struct bed bed;
    bed_open(&bed, NULL, NULL);
    uint64_t connection = dial(&bed);
    (void)accept_one(&bed);
    static uint8_t body[BODY_BYTES];
    for (size_t sent = 0; sent < FRAMES; sent++) {
        memset(body, (int)sent, sizeof body);
        assert_true(wire_send(bed.client, connection, 1, bytes_of(body, sizeof body)));
        wire_flush(bed.client);
    }
    for (size_t received = 0; received < FRAMES;) {
        const struct wire_event *events;
        size_t count = events_wait(bed.server, &events);
        for (size_t i = 0; i < count; i++, received++) {
            memset(body, (int)received, sizeof body);
            assert_int_equal(events[i].kind, WIRE_FRAME);
            assert_true(bytes_equal(events[i].body, bytes_of(body, sizeof body)));
        }
    }
    bed_close(&bed);
}

static void test_send_before_dialled_arrives(void **state)
{
    (void)state;
    struct bed bed;
    bed_open(&bed, NULL, NULL);
    uint64_t connection = wire_dial(bed.client, bed.target, 3, DIAL_MS);
    assert_true(wire_send(bed.client, connection, 5, BYTES_LITERAL("early")));
    wire_flush(bed.client);
    assert_int_equal(event_wait(bed.client).kind, WIRE_DIALLED);
    wire_flush(bed.client);
    struct wire_event last = {.kind = WIRE_CLOSED};
    while (last.kind != WIRE_FRAME) {
        const struct wire_event *events;
        size_t count = events_wait(bed.server, &events);
        last = events[count - 1];
    }
    assert_true(bytes_equal(last.body, BYTES_LITERAL("early")));
    bed_close(&bed);
}

static void test_close_delivers_what_was_sent_then_reports_once(void **state)
{
    (void)state;
    struct bed bed;
    bed_open(&bed, NULL, NULL);
    uint64_t connection = dial(&bed);
    uint64_t accepted = accept_one(&bed);
    assert_true(wire_send(bed.server, accepted, 2, BYTES_LITERAL("last words")));
    wire_close(bed.server, accepted);
    wire_close(bed.server, accepted);
    struct wire_event event = event_wait(bed.server);
    assert_int_equal(event.kind, WIRE_CLOSED);
    assert_true(event.connection == accepted);
    wire_close(bed.server, accepted);
    const struct wire_event *events;
    size_t frames = 0;
    for (bool is_closed = false; !is_closed;) {
        size_t count = events_wait(bed.client, &events);
        for (size_t i = 0; i < count; i++) {
            assert_true(events[i].connection == connection);
            assert_false(is_closed);
            is_closed = events[i].kind == WIRE_CLOSED;
            frames += events[i].kind == WIRE_FRAME;
        }
    }
    assert_int_equal(frames, 1);
    assert_int_equal(wire_take(bed.server, &events), 0);
    bed_close(&bed);
}

static void test_too_many_connections_are_closed_at_once(void **state)
{
    (void)state;
    struct bed bed;
    bed_open(&bed, &(struct wire_options){.connections_max = 2}, NULL);
    int kept[2] = {raw_dial(&bed), -1};
    (void)accept_one(&bed);
    kept[1] = raw_dial(&bed);
    (void)accept_one(&bed);
    int refused = raw_dial(&bed);
    char byte;
    assert_true(read(refused, &byte, 1) <= 0);
    const struct wire_event *events;
    assert_int_equal(wire_take(bed.server, &events), 0);
    close(kept[0]);
    assert_int_equal(event_wait(bed.server).kind, WIRE_CLOSED);
    kept[0] = raw_dial(&bed);
    (void)accept_one(&bed);
    close(kept[0]);
    close(kept[1]);
    close(refused);
    bed_close(&bed);
}

/* Dial `count` times, `window` at once; every dial must end in exactly one event, which is
 * WIRE_CLOSED. */
static void dials_fail(struct bytes address, uint32_t timeout_ms, size_t count, size_t window)
{
    struct wire *wire = wire_of(NULL);
    bool *is_closed = calloc(count + 2, sizeof *is_closed);
    size_t begun = 0, ended = 0;
    while (ended < count) {
        for (; begun < count && begun < ended + window; begun++)
            assert_true(wire_dial(wire, address, 1, timeout_ms) == begun + 1);
        const struct wire_event *events;
        size_t events_count = events_wait(wire, &events);
        for (size_t i = 0; i < events_count; i++) {
            if (events[i].kind == WIRE_DIALLED) { /* a full backlog may let one slip in */
                wire_close(wire, events[i].connection);
                continue;
            }
            assert_int_equal(events[i].kind, WIRE_CLOSED);
            assert_true(events[i].connection <= count && !is_closed[events[i].connection]);
            assert_true(events[i].reason.size > 0);
            is_closed[events[i].connection] = true;
            ended++;
        }
    }
    free(is_closed);
    wire_free(wire);
}

static void test_dial_dead_port_2000_times_ends_each_once(void **state)
{
    (void)state;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in bound = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof bound;
    assert_int_equal(bind(fd, (struct sockaddr *)&bound, sizeof bound), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&bound, &size), 0);
    char address[32];
    snprintf(address, sizeof address, "127.0.0.1:%u", ntohs(bound.sin_port));
    dials_fail(bytes_string(address), 1000, 2000, 50); /* bound, but nobody listens */
    close(fd);
}

static void test_dial_refused_as_its_time_is_up_ends_once(void **state)
{
    (void)state;
    for (size_t i = 0; i < 10; i++) /* nobody listens there */
        dials_fail(BYTES_LITERAL("127.0.0.1:1"), 1, 1000, 1000);
}

static void test_dial_full_backlog_2000_times_ends_each_once(void **state)
{
    (void)state;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in bound = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof bound;
    assert_int_equal(bind(fd, (struct sockaddr *)&bound, sizeof bound), 0);
    assert_int_equal(listen(fd, 0), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&bound, &size), 0);
    int fillers[8];
    bool is_full = false;
    for (size_t i = 0; i < 8; i++) {
        fillers[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
        (void)!connect(fillers[i], (struct sockaddr *)&bound, sizeof bound);
        is_full = poll(&(struct pollfd){.fd = fillers[i], .events = POLLOUT}, 1, 50) == 0;
    }
    assert_true(is_full);
    char address[32];
    snprintf(address, sizeof address, "127.0.0.1:%u", ntohs(bound.sin_port));
    dials_fail(bytes_string(address), 20, 2000, 100);
    for (size_t i = 0; i < 8; i++)
        close(fillers[i]);
    close(fd);
}

static void test_dial_bad_addresses_fail_with_a_reason(void **state)
{
    (void)state;
    static const char *const addresses[] = {"", "nonsense", "a/b:1", ":", "127.0.0.1:99999999"};
    for (size_t i = 0; i < sizeof addresses / sizeof addresses[0]; i++)
        dials_fail(bytes_string(addresses[i]), 1000, 1, 1);
}

static void test_close_while_dialling_ends_once(void **state)
{
    (void)state;
    struct bed bed;
    bed_open(&bed, NULL, NULL);
    enum { ROUNDS = 500 };
    size_t closed = 0;
    for (size_t round = 0; round < ROUNDS; round++) {
        uint64_t connection = wire_dial(bed.client, bed.target, 3, DIAL_MS);
        for (volatile size_t spin = 0; spin < round * 50; spin++)
            ;
        wire_close(bed.client, connection);
        for (bool is_closed = false; !is_closed;) {
            const struct wire_event *events;
            size_t count = events_wait(bed.client, &events);
            for (size_t i = 0; i < count; i++) {
                assert_true(events[i].connection == connection);
                assert_false(is_closed);
                is_closed = events[i].kind == WIRE_CLOSED;
            }
        }
        closed++;
        const struct wire_event *events;
        wire_take(bed.server, &events);
    }
    assert_int_equal(closed, ROUNDS);
    bed_close(&bed);
}

/* Both sides send and close at random moments; every connection must end exactly once on both
 * sides. */
static void test_close_races_report_every_end_once(void **state)
{
    (void)state;
    enum { CONNECTIONS = 400, NUMBERS = CONNECTIONS * 2 + 8 };
    struct bed bed;
    bed_open(&bed, NULL, NULL);
    static uint8_t body[20000];
    struct wire *sides[2] = {bed.client, bed.server};
    static uint8_t ends[2][NUMBERS];
    memset(ends, 0, sizeof ends);
    size_t begun = 0, ended[2] = {0, 0}, accepted = 0;
    unsigned random = 12345;
    while (ended[0] < CONNECTIONS || ended[1] < accepted) {
        for (size_t burst = 0; burst < 8 && begun < CONNECTIONS; burst++, begun++)
            assert_true(wire_dial(bed.client, bed.target, 3, DIAL_MS) != 0);
        struct pollfd pollers[2] = {{.fd = wire_fd(bed.client), .events = POLLIN},
                                    {.fd = wire_fd(bed.server), .events = POLLIN}};
        assert_true(poll(pollers, 2, DEADLINE_POLLS * POLL_MS) > 0);
        for (size_t side = 0; side < 2; side++) {
            const struct wire_event *events;
            size_t count = wire_take(sides[side], &events);
            for (size_t i = 0; i < count; i++) {
                uint64_t connection = events[i].connection;
                assert_true(connection < NUMBERS && ends[side][connection] == 0);
                accepted += events[i].kind == WIRE_ACCEPTED;
                if (events[i].kind == WIRE_CLOSED) {
                    ends[side][connection] = 1;
                    ended[side]++;
                    continue;
                }
                random = random * 1103515245 + 12345;
                (void)wire_send(sides[side], connection, 1,
                                bytes_of(body, (random >> 8) % sizeof body));
                if ((random >> 16) % 4 == 0)
                    wire_close(sides[side], connection);
            }
            wire_flush(sides[side]);
        }
    }
    bed_close(&bed);
}

static void test_free_with_traffic_in_flight_is_clean(void **state)
{
    (void)state;
    static uint8_t body[100000];
    for (size_t round = 0; round < 40; round++) {
        struct bed bed;
        bed_open(&bed, NULL, NULL);
        uint64_t connections[8];
        for (size_t i = 0; i < 8; i++) {
            connections[i] = wire_dial(bed.client, bed.target, 3, DIAL_MS);
            (void)wire_send(bed.client, connections[i], 1, bytes_of(body, sizeof body));
        }
        const struct wire_event *events;
        if (round % 4 > 0)
            events_wait(bed.client, &events);
        for (size_t turn = 0; turn < round % 4; turn++) {
            wire_flush(bed.client);
            wire_take(bed.client, &events);
        }
        if (round % 2 == 0)
            wire_take(bed.server, &events);
        bed_close(&bed);
    }
}

static void test_accept_without_descriptors_recovers(void **state)
{
    (void)state;
    struct bed bed;
    bed_open(&bed, NULL, NULL);
    struct rlimit before;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    int fd = raw_dial(&bed);
    (void)accept_one(&bed);
    int second = socket(AF_INET, SOCK_STREAM, 0); /* made before the limit falls */
    struct rlimit none = {.rlim_cur = 3, .rlim_max = before.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    struct sockaddr_in address = {
        .sin_family = AF_INET,
        .sin_port = htons((uint16_t)atoi(strchr(bed.address, ':') + 1)),
        .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
    };
    assert_int_equal(connect(second, (struct sockaddr *)&address, sizeof address), 0);
    struct pollfd poller = {.fd = wire_fd(bed.server), .events = POLLIN};
    assert_int_equal(poll(&poller, 1, 100), 0);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    (void)accept_one(&bed);
    close(fd);
    close(second);
    bed_close(&bed);
}

static void test_listen_on_a_taken_port_names_the_reason(void **state)
{
    (void)state;
    struct bed bed;
    bed_open(&bed, NULL, NULL);
    struct pawl_diag diag = {0};
    assert_int_equal(wire_listen(bed.client, bed.address, 0, NULL, &diag), PAWL_E_NETWORK);
    assert_non_null(strstr(diag.text, bed.address));
    assert_int_equal(wire_listen(bed.client, "nowhere", 0, NULL, &diag), PAWL_E_INVALID);
    bed_close(&bed);
}

static void test_backlog_holds_a_storm_of_connections(void **state)
{
    (void)state;
    struct bed bed;
    bed_open(&bed, NULL, NULL);
    enum { STORM = 600 };
    int fds[STORM];
    for (size_t i = 0; i < STORM; i++)
        fds[i] = raw_dial(&bed);
    size_t accepted = 0;
    while (accepted < STORM) {
        const struct wire_event *events;
        accepted += events_wait(bed.server, &events);
    }
    for (size_t i = 0; i < STORM; i++)
        close(fds[i]);
    bed_close(&bed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_echo_many_sizes_arrive_whole_and_in_order),
        cmocka_unit_test(test_frames_byte_by_byte_are_cut_whole),
        cmocka_unit_test(test_bad_heads_close_the_connection),
        cmocka_unit_test(test_largest_frame_is_taken),
        cmocka_unit_test(test_output_limit_closes_instead_of_dropping),
        cmocka_unit_test(test_untaken_input_stops_reading_and_resumes),
        cmocka_unit_test(test_frames_that_came_meanwhile_are_taken_at_once),
        cmocka_unit_test(test_output_that_must_wait_arrives_whole_and_in_order),
        cmocka_unit_test(test_send_before_dialled_arrives),
        cmocka_unit_test(test_close_delivers_what_was_sent_then_reports_once),
        cmocka_unit_test(test_too_many_connections_are_closed_at_once),
        cmocka_unit_test(test_dial_dead_port_2000_times_ends_each_once),
        cmocka_unit_test(test_dial_refused_as_its_time_is_up_ends_once),
        cmocka_unit_test(test_dial_full_backlog_2000_times_ends_each_once),
        cmocka_unit_test(test_dial_bad_addresses_fail_with_a_reason),
        cmocka_unit_test(test_close_while_dialling_ends_once),
        cmocka_unit_test(test_close_races_report_every_end_once),
        cmocka_unit_test(test_free_with_traffic_in_flight_is_clean),
        cmocka_unit_test(test_accept_without_descriptors_recovers),
        cmocka_unit_test(test_listen_on_a_taken_port_names_the_reason),
        cmocka_unit_test(test_backlog_holds_a_storm_of_connections),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
