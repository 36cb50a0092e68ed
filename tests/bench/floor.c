/* The floor under every figure of pawl: three processes that only agree on records. A preallocated
 * log each, append, fdatasync, two of three; no terms, no state, no store.
 *
 *   floor --batched   the submitters live in the leader
 *   floor --client    a fourth process submits over nng streams, one frame a record
 *         [--payload BYTES] [--concurrency C] [--seconds S] [--directory DIR] [--port P] [--json]
 *
 * A record is the payload in whole blocks of a disk: 512 bytes without --payload.
 * The processes are forked before anything of nng exists, since its threads do not survive a fork.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "proto/limits.h"
#include "wire/wire.h"

enum {
    BLOCK_BYTES = 512,
    RECORD_BYTES_MAX = 65536,
    LOG_BYTES = 64 << 20,
    CONCURRENCY_MAX = 4096,
    LATENCIES_MAX = 1 << 23,
    FRAME_GROUP = 1,  /* leader -> follower: u64 number of its last record, then the records */
    FRAME_SYNCED = 2, /* follower -> leader: u64 number of the last record it holds */
    FRAME_SUBMIT = 3, /* client -> leader: u64 tag, then the record */
    FRAME_DONE = 4,   /* leader -> client: u64 tag */
    PORTS = 3,
};

struct options {
    bool is_client;
    unsigned concurrency, seconds, base_port;
    size_t record_bytes;
    const char *directory;
    bool is_json;
};

static uint64_t now_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

static _Noreturn void die(const char *what)
{
    fprintf(stderr, "floor: %s: %s\n", what, strerror(errno));
    exit(1);
}

static void must(enum pawl_error error, const struct pawl_diag *diag)
{
    if (error != PAWL_OK) {
        fprintf(stderr, "floor: %s\n", diag->text);
        exit(1);
    }
}

/* ---- a log ---- */

struct log {
    int fd;
    uint64_t offset;
};

static void log_open(struct log *log, const char *directory, int number)
{
    char path[4096];
    static const uint8_t zeros[1 << 20];
    snprintf(path, sizeof path, "%s/floor-%d.log", directory, number);
    log->fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (log->fd < 0)
        die(path);
    for (uint64_t at = 0; at < LOG_BYTES; at += sizeof zeros)
        if (pwrite(log->fd, zeros, sizeof zeros, (off_t)at) != (ssize_t)sizeof zeros)
            die(path);
    if (fsync(log->fd) != 0)
        die(path);
}

static void log_append(struct log *log, const void *data, size_t size)
{
    if (log->offset + size > LOG_BYTES)
        log->offset = 0;
    if (pwrite(log->fd, data, size, (off_t)log->offset) != (ssize_t)size || fdatasync(log->fd) != 0)
        die("append");
    log->offset += size;
}

/* ---- a follower ---- */

static void wait_for(struct wire *wire, int timeout_ms)
{
    struct pollfd fd = {.fd = wire_fd(wire), .events = POLLIN};
    (void)poll(&fd, 1, timeout_ms);
}

/* All records may travel in one frame, and two such frames may wait. */
static struct wire *wire_open(const struct options *options)
{
    struct wire *wire;
    struct pawl_diag diag = {0};
    const size_t frame_bytes_max = FRAME_BYTES_MAX + options->concurrency * options->record_bytes;
    const struct wire_options wire_options = {.frame_bytes_max = frame_bytes_max,
                                              .output_bytes_max = 2 * frame_bytes_max};
    must(wire_new(&wire_options, &wire, &diag), &diag);
    return wire;
}

static void address_of(const struct options *options, int number, char out[32])
{
    snprintf(out, 32, "127.0.0.1:%u", options->base_port + (unsigned)number);
}

static _Noreturn void follower(const struct options *options, int number)
{
    struct pawl_diag diag = {0};
    struct log log = {0};
    char address[32];
    log_open(&log, options->directory, number);
    address_of(options, number, address);
    struct wire *wire = wire_open(options);
    must(wire_listen(wire, address, 0, NULL, &diag), &diag);
    for (;;) {
        const struct wire_event *events;
        wait_for(wire, -1);
        const size_t count = wire_take(wire, &events);
        for (size_t i = 0; i < count; i++) {
            if (events[i].kind != WIRE_FRAME)
                continue;
            log_append(&log, events[i].body.data + 8, events[i].body.size - 8);
            (void)wire_send(wire, events[i].connection, FRAME_SYNCED,
                            bytes_of(events[i].body.data, 8));
            wire_flush(wire);
        }
    }
}

/* ---- the leader ---- */

struct record {
    uint64_t client; /* connection, or 0 for a submitter in this process */
    uint64_t tag;
    uint64_t begin_us;
};

struct leader {
    const struct options *options;
    struct wire *wire;
    uint64_t followers[2];
    uint64_t synced[3]; /* last record on each disk; [0] is our own */
    uint64_t last;      /* handed out to be written */
    uint64_t committed;
    struct record ring[2 * CONCURRENCY_MAX];
    struct record waiting[CONCURRENCY_MAX];
    size_t waiting_count;
    struct buffer group;
    uint64_t *latencies;
    size_t latency_count;
    uint64_t count_from_us;
    /* the log thread */
    struct log log;
    pthread_mutex_t mutex;
    pthread_cond_t has_work;
    struct buffer to_write;
    uint64_t to_write_last, written_last;
    int written_fd;
};

static void *log_main(void *user)
{
    struct leader *leader = user;
    struct buffer writing = {0};
    const uint64_t one = 1;
    for (;;) {
        pthread_mutex_lock(&leader->mutex);
        while (leader->to_write.size == 0)
            pthread_cond_wait(&leader->has_work, &leader->mutex);
        const struct buffer taken = leader->to_write;
        const uint64_t last = leader->to_write_last;
        leader->to_write = writing;
        buffer_reset(&leader->to_write);
        writing = taken;
        pthread_mutex_unlock(&leader->mutex);
        log_append(&leader->log, writing.data, writing.size);
        pthread_mutex_lock(&leader->mutex);
        leader->written_last = last;
        pthread_mutex_unlock(&leader->mutex);
        if (write(leader->written_fd, &one, sizeof one) < 0)
            die("eventfd");
    }
}

static void hand_out_group(struct leader *leader)
{
    if (leader->waiting_count == 0)
        return;
    static const uint8_t record[RECORD_BYTES_MAX] = {1};
    uint8_t head[8];
    buffer_reset(&leader->group);
    be64_put(head, leader->last + leader->waiting_count);
    buffer_append(&leader->group, head, sizeof head);
    for (size_t i = 0; i < leader->waiting_count; i++) {
        leader->ring[++leader->last % (2 * CONCURRENCY_MAX)] = leader->waiting[i];
        buffer_append(&leader->group, record, leader->options->record_bytes);
    }
    leader->waiting_count = 0;
    for (int i = 0; i < 2; i++)
        (void)wire_send(leader->wire, leader->followers[i], FRAME_GROUP,
                        buffer_bytes(&leader->group));
    pthread_mutex_lock(&leader->mutex);
    buffer_append(&leader->to_write, leader->group.data + 8, leader->group.size - 8);
    leader->to_write_last = leader->last;
    pthread_cond_signal(&leader->has_work);
    pthread_mutex_unlock(&leader->mutex);
}

static void record_done(struct leader *leader, const struct record *record, uint64_t at_us)
{
    if (record->client != 0) {
        uint8_t tag[8];
        be64_put(tag, record->tag);
        (void)wire_send(leader->wire, record->client, FRAME_DONE, bytes_of(tag, sizeof tag));
        return;
    }
    if (at_us >= leader->count_from_us && leader->latency_count < LATENCIES_MAX)
        leader->latencies[leader->latency_count++] = at_us - record->begin_us;
    leader->waiting[leader->waiting_count++] = (struct record){.begin_us = at_us};
}

static void commit(struct leader *leader)
{
    const uint64_t a = leader->synced[0], b = leader->synced[1], c = leader->synced[2];
    const uint64_t high = a > b ? a : b, low = a > b ? b : a;
    const uint64_t median = c > high ? high : c < low ? low : c;
    const uint64_t at_us = now_us();
    while (leader->committed < median)
        record_done(leader, &leader->ring[++leader->committed % (2 * CONCURRENCY_MAX)], at_us);
}

static void leader_event(struct leader *leader, const struct wire_event *event)
{
    if (event->kind != WIRE_FRAME)
        return;
    if (event->type == FRAME_SYNCED)
        leader->synced[event->connection == leader->followers[0] ? 1 : 2] =
            be64_get(event->body.data);
    else if (event->type == FRAME_SUBMIT && leader->waiting_count < CONCURRENCY_MAX)
        leader->waiting[leader->waiting_count++] =
            (struct record){.client = event->connection, .tag = be64_get(event->body.data)};
}

static void leader_turn(struct leader *leader)
{
    struct pollfd fds[2] = {{.fd = wire_fd(leader->wire), .events = POLLIN},
                            {.fd = leader->written_fd, .events = POLLIN}};
    const struct wire_event *events;
    uint64_t ignored;
    (void)poll(fds, 2, 1000);
    if ((fds[1].revents & POLLIN) != 0 && read(leader->written_fd, &ignored, sizeof ignored) < 0)
        die("eventfd");
    const size_t count = wire_take(leader->wire, &events);
    for (size_t i = 0; i < count; i++)
        leader_event(leader, &events[i]);
    pthread_mutex_lock(&leader->mutex);
    leader->synced[0] = leader->written_last;
    pthread_mutex_unlock(&leader->mutex);
    commit(leader);
    hand_out_group(leader);
    wire_flush(leader->wire);
}

static void connect_followers(struct leader *leader)
{
    const struct wire_event *events;
    int connected = 0;
    leader->wire = wire_open(leader->options);
    for (int i = 0; i < 2; i++) {
        char address[32];
        address_of(leader->options, i + 1, address);
        leader->followers[i] = wire_dial(leader->wire, bytes_string(address), 0, 2000);
    }
    while (connected < 2) {
        wait_for(leader->wire, 3000);
        const size_t count = wire_take(leader->wire, &events);
        for (size_t i = 0; i < count; i++)
            if (events[i].kind == WIRE_DIALLED)
                connected++;
            else
                die("a follower cannot be reached");
    }
}

static struct leader *leader_new(const struct options *options)
{
    struct leader *leader = calloc(1, sizeof *leader);
    pthread_t thread;
    if (leader == NULL)
        die("memory");
    leader->options = options;
    leader->latencies = malloc(LATENCIES_MAX * sizeof *leader->latencies);
    leader->written_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    pthread_mutex_init(&leader->mutex, NULL);
    pthread_cond_init(&leader->has_work, NULL);
    log_open(&leader->log, options->directory, 0);
    connect_followers(leader);
    if (leader->latencies == NULL || pthread_create(&thread, NULL, log_main, leader) != 0)
        die("thread");
    return leader;
}

static _Noreturn void serve_clients(const struct options *options)
{
    struct leader *leader = leader_new(options);
    struct pawl_diag diag = {0};
    char address[32];
    address_of(options, 0, address);
    must(wire_listen(leader->wire, address, 0, NULL, &diag), &diag);
    for (;;)
        leader_turn(leader);
}

/* ---- figures ---- */

static int compare(const void *a, const void *b)
{
    const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

static void report(const struct options *options, uint64_t *latencies, size_t count, uint64_t us)
{
    qsort(latencies, count, sizeof *latencies, compare);
    const double p50_ms = count > 0 ? (double)latencies[count / 2] / 1000 : 0;
    const double p99_ms = count > 0 ? (double)latencies[count * 99 / 100] / 1000 : 0;
    const double rate = (double)count * 1e6 / (double)us;
    if (options->is_json)
        printf("{\"commits_per_s\":%.0f,\"p50_ms\":%.3f,\"p99_ms\":%.3f}\n", rate, p50_ms, p99_ms);
    else
        printf("%s c=%u: %.0f commits/s, p50 %.2f ms, p99 %.2f ms\n",
               options->is_client ? "client" : "batched", options->concurrency, rate, p50_ms,
               p99_ms);
}

static void run_batched(const struct options *options)
{
    struct leader *leader = leader_new(options);
    const uint64_t begin_us = now_us();
    leader->count_from_us = begin_us + 1000000;
    const uint64_t end_us = leader->count_from_us + (uint64_t)options->seconds * 1000000;
    for (unsigned i = 0; i < options->concurrency; i++)
        leader->waiting[leader->waiting_count++] = (struct record){.begin_us = begin_us};
    hand_out_group(leader);
    wire_flush(leader->wire);
    while (now_us() < end_us)
        leader_turn(leader);
    report(options, leader->latencies, leader->latency_count, end_us - leader->count_from_us);
}

static void submit(struct wire *wire, uint64_t connection, uint64_t tag, size_t record_bytes)
{
    static uint8_t body[8 + RECORD_BYTES_MAX];
    be64_put(body, tag);
    (void)wire_send(wire, connection, FRAME_SUBMIT, bytes_of(body, 8 + record_bytes));
}

static void run_client(const struct options *options)
{
    uint64_t *latencies = malloc(LATENCIES_MAX * sizeof *latencies);
    uint64_t begins[CONCURRENCY_MAX];
    size_t latency_count = 0;
    char address[32];
    struct wire *wire = wire_open(options);
    address_of(options, 0, address);
    const uint64_t connection = wire_dial(wire, bytes_string(address), 0, 2000);
    const uint64_t from_us = now_us() + 1000000;
    const uint64_t end_us = from_us + (uint64_t)options->seconds * 1000000;
    for (unsigned i = 0; i < options->concurrency; i++) {
        begins[i] = now_us();
        submit(wire, connection, i, options->record_bytes);
    }
    wire_flush(wire);
    while (now_us() < end_us) {
        const struct wire_event *events;
        wait_for(wire, 1000);
        const size_t count = wire_take(wire, &events);
        for (size_t i = 0; i < count; i++) {
            if (events[i].kind == WIRE_CLOSED)
                die("the leader is gone");
            if (events[i].kind != WIRE_FRAME)
                continue;
            const uint64_t tag = be64_get(events[i].body.data), at_us = now_us();
            if (at_us >= from_us && latency_count < LATENCIES_MAX)
                latencies[latency_count++] = at_us - begins[tag];
            begins[tag] = at_us;
            submit(wire, connection, tag, options->record_bytes);
        }
        wire_flush(wire);
    }
    report(options, latencies, latency_count, end_us - from_us);
}

/* ---- processes ---- */

static pid_t spawn(void (*body)(const struct options *, int), const struct options *options,
                   int number)
{
    const pid_t pid = fork();
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        body(options, number);
    }
    return pid;
}

static void follower_main(const struct options *options, int number)
{
    follower(options, number);
}

static void leader_main(const struct options *options, int number)
{
    (void)number;
    serve_clients(options);
}

static void wait_until_listening(const struct options *options, int number)
{
    char command[128];
    for (int i = 0; i < 200; i++) {
        snprintf(command, sizeof command, "bash -c 'exec 3<>/dev/tcp/127.0.0.1/%u' 2>/dev/null",
                 options->base_port + (unsigned)number);
        if (system(command) == 0)
            return;
        usleep(50000);
    }
    die("nothing listens");
}

static size_t in_blocks(size_t bytes)
{
    return (bytes + BLOCK_BYTES - 1) / BLOCK_BYTES * BLOCK_BYTES;
}

static struct options read_options(int argc, char **argv)
{
    struct options options = {.concurrency = 64,
                              .seconds = 4,
                              .record_bytes = BLOCK_BYTES,
                              .directory = ".",
                              .base_port = 21000};
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--client") == 0)
            options.is_client = true;
        else if (strcmp(argv[i], "--json") == 0)
            options.is_json = true;
        else if (strcmp(argv[i], "--concurrency") == 0 && i + 1 < argc)
            options.concurrency = (unsigned)atoi(argv[++i]);
        else if (strcmp(argv[i], "--seconds") == 0 && i + 1 < argc)
            options.seconds = (unsigned)atoi(argv[++i]);
        else if (strcmp(argv[i], "--payload") == 0 && i + 1 < argc)
            options.record_bytes = in_blocks((size_t)strtoul(argv[++i], NULL, 10));
        else if (strcmp(argv[i], "--directory") == 0 && i + 1 < argc)
            options.directory = argv[++i];
        else if (strcmp(argv[i], "--port") == 0 && i + 1 < argc)
            options.base_port = (unsigned)atoi(argv[++i]);
        else if (strcmp(argv[i], "--batched") != 0) {
            fprintf(stderr, "floor: %s is not an option\n", argv[i]);
            exit(2);
        }
    }
    if (options.concurrency == 0 || options.concurrency > CONCURRENCY_MAX || options.seconds == 0 ||
        options.record_bytes == 0 || options.record_bytes > RECORD_BYTES_MAX ||
        options.concurrency * options.record_bytes > LOG_BYTES) {
        fprintf(stderr, "floor: an option is out of range\n");
        exit(2);
    }
    return options;
}

int main(int argc, char **argv)
{
    const struct options options = read_options(argc, argv);
    pid_t pids[PORTS] = {0};
    for (int i = 1; i <= 2; i++)
        pids[i] = spawn(follower_main, &options, i);
    if (options.is_client) {
        usleep(1000000);
        pids[0] = spawn(leader_main, &options, 0);
    }
    wait_until_listening(&options, options.is_client ? 0 : 2);
    usleep(200000);
    if (options.is_client)
        run_client(&options);
    else
        run_batched(&options);
    fflush(stdout);
    for (int i = 0; i < PORTS; i++)
        if (pids[i] > 0) {
            kill(pids[i], SIGKILL);
            (void)waitpid(pids[i], NULL, 0);
        }
    _exit(0);
}
