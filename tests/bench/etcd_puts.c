/* Puts per second into an etcd cluster, for comparison: gRPC in as few lines and as little CPU as
 * HTTP/2 allows. C puts of unique keys are in flight, with values of 256 bytes or as many as
 * --payload says, over at most eight connections to one node, which should be the leader.
 *
 *   etcd_puts --port PORT --pids P,P,P [--concurrency C] [--seconds S] [--payload BYTES]
 *
 * pids are those of the servers, for their CPU time. A second of warm-up is not counted. Prints one
 * line of JSON. A put that fails ends the process.
 *
 * Source: gRPC over HTTP2 (grpc/doc/PROTOCOL-HTTP2.md); etcdserverpb.KV/Put, key is field 1, value
 * field 2.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <nghttp2/nghttp2.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "proto/bytes.h"
#include "tests/bench/load.h"

enum {
    CONNECTIONS_MAX = 8,
    CONCURRENCY_MAX = 4096,
    LATENCIES_MAX = 1 << 22,
    KEY_BYTES = 12,
    PREFIX_BYTES = 5, /* of a gRPC message: compression, size */
    VARINT_BYTES = 3, /* of a value's size, always */
    BODY_BYTES_MAX = PREFIX_BYTES + 2 + KEY_BYTES + 1 + VARINT_BYTES + PAYLOAD_MAX,
    READ_BYTES = 1 << 16,
    WARM_UP_US = 1000 * 1000,
};

struct options {
    struct load_options load;
    unsigned seconds;
    uint16_t port;
};

struct run;

struct connection {
    struct run *run;
    int fd;
    nghttp2_session *session;
    struct buffer out;
};

struct put { /* one of the C, over and over */
    struct connection *connection;
    uint8_t body[BODY_BYTES_MAX];
    size_t body_bytes, sent_bytes;
    uint64_t begin_us;
    bool is_good;
};

struct run {
    struct options options;
    char authority[32];
    struct connection connections[CONNECTIONS_MAX];
    size_t connection_count;
    struct put *puts;
    uint64_t begun_count, done_count;
    bool is_counting;
    uint64_t *latencies_us;
    size_t latency_count;
};

/* ---- one put ---- */

/* Written with as many bytes as the largest needs, which protobuf allows. */
static void varint_put(uint8_t *at, size_t number)
{
    for (size_t i = 0; i < VARINT_BYTES; i++)
        at[i] = (uint8_t)((number >> 7 * i & 0x7f) | (i + 1 < VARINT_BYTES ? 0x80 : 0));
}

/* Everything but the key. */
static void body_fill(struct put *put, size_t value_bytes)
{
    uint8_t *at = put->body;
    put->body_bytes = BODY_BYTES_MAX - PAYLOAD_MAX + value_bytes;
    *at++ = 0;
    be32_put(at, (uint32_t)(put->body_bytes - PREFIX_BYTES));
    at += 4;
    *at++ = 1 << 3 | 2; /* field 1, bytes */
    *at++ = KEY_BYTES;
    at += KEY_BYTES;
    *at++ = 2 << 3 | 2;
    varint_put(at, value_bytes);
    memset(at + VARINT_BYTES, 'v', value_bytes);
}

static void key_write(struct put *put, uint64_t number)
{
    char key[KEY_BYTES + 8];
    snprintf(key, sizeof key, "%0*llx", KEY_BYTES, (unsigned long long)number & 0xffffffffffff);
    memcpy(put->body + PREFIX_BYTES + 2, key, KEY_BYTES);
}

static ssize_t body_read(nghttp2_session *session, int32_t stream, uint8_t *out, size_t size,
                         uint32_t *flags, nghttp2_data_source *source, void *user)
{
    struct put *put = source->ptr;
    const size_t rest = put->body_bytes - put->sent_bytes, count = rest < size ? rest : size;
    (void)session;
    (void)stream;
    (void)user;
    memcpy(out, put->body + put->sent_bytes, count);
    put->sent_bytes += count;
    if (put->sent_bytes == put->body_bytes)
        *flags |= NGHTTP2_DATA_FLAG_EOF;
    return (ssize_t)count;
}

static nghttp2_nv header(const char *name, const char *value)
{
    union { /* nghttp2 takes what it does not change without const */
        const char *given;
        uint8_t *wanted;
    } name_bytes = {name}, value_bytes = {value};
    return (nghttp2_nv){.name = name_bytes.wanted,
                        .value = value_bytes.wanted,
                        .namelen = strlen(name),
                        .valuelen = strlen(value)};
}

static void put_begin(struct run *run, struct put *put)
{
    const nghttp2_nv headers[] = {
        header(":method", "POST"),
        header(":scheme", "http"),
        header(":path", "/etcdserverpb.KV/Put"),
        header(":authority", run->authority),
        header("content-type", "application/grpc"),
        header("te", "trailers"),
    };
    const nghttp2_data_provider provider = {.source = {.ptr = put}, .read_callback = body_read};
    key_write(put, ++run->begun_count);
    put->sent_bytes = 0;
    put->is_good = false;
    put->begin_us = load_now_us();
    if (nghttp2_submit_request(put->connection->session, NULL, headers,
                               sizeof headers / sizeof headers[0], &provider, put) < 0)
        load_die("a request cannot be submitted", "");
}

/* ---- what the server says ---- */

static int on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name,
                     size_t name_size, const uint8_t *value, size_t value_size, uint8_t flags,
                     void *user)
{
    (void)flags;
    (void)user;
    if (!bytes_equal(bytes_of(name, name_size), BYTES_LITERAL("grpc-status")))
        return 0;
    struct put *put = nghttp2_session_get_stream_user_data(session, frame->hd.stream_id);
    if (put != NULL)
        put->is_good = bytes_equal(bytes_of(value, value_size), BYTES_LITERAL("0"));
    return 0;
}

static int on_stream_close(nghttp2_session *session, int32_t stream, uint32_t error, void *user)
{
    struct run *run = ((struct connection *)user)->run;
    struct put *put = nghttp2_session_get_stream_user_data(session, stream);
    if (put == NULL)
        return 0;
    if (error != NGHTTP2_NO_ERROR || !put->is_good)
        load_die("a put failed", nghttp2_http2_strerror(error));
    run->done_count++;
    if (run->is_counting && run->latency_count < LATENCIES_MAX)
        run->latencies_us[run->latency_count++] = load_now_us() - put->begin_us;
    put_begin(run, put);
    return 0;
}

/* ---- connections ---- */

static void connection_send(struct connection *connection)
{
    const uint8_t *data;
    ssize_t size;
    buffer_reset(&connection->out);
    while ((size = nghttp2_session_mem_send(connection->session, &data)) > 0)
        buffer_append(&connection->out, data, (size_t)size);
    if (size < 0 || connection->out.is_failed)
        load_die("a frame cannot be made", size < 0 ? nghttp2_strerror((int)size) : "");
    for (size_t sent = 0; sent < connection->out.size; sent += (size_t)size) {
        size = send(connection->fd, connection->out.data + sent, connection->out.size - sent,
                    MSG_NOSIGNAL);
        if (size < 0)
            load_die("the server is gone", strerror(errno));
    }
}

static void connection_receive(struct connection *connection)
{
    uint8_t data[READ_BYTES];
    const ssize_t size = recv(connection->fd, data, sizeof data, 0);
    if (size <= 0)
        load_die("the server is gone", size < 0 ? strerror(errno) : "it closed the connection");
    const ssize_t taken = nghttp2_session_mem_recv(connection->session, data, (size_t)size);
    if (taken != size)
        load_die("the server does not speak HTTP/2", nghttp2_strerror((int)taken));
}

static void connection_open(struct run *run, struct connection *connection)
{
    nghttp2_session_callbacks *callbacks;
    const struct sockaddr_in address = {.sin_family = AF_INET,
                                        .sin_port = htons(run->options.port),
                                        .sin_addr = {htonl(INADDR_LOOPBACK)}};
    *connection = (struct connection){.run = run, .fd = socket(AF_INET, SOCK_STREAM, 0)};
    if (connect(connection->fd, (const struct sockaddr *)&address, sizeof address) != 0)
        load_die("nobody listens", strerror(errno));
    setsockopt(connection->fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
    if (nghttp2_session_callbacks_new(&callbacks) != 0)
        load_die("out of memory", "");
    nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header);
    nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_stream_close);
    if (nghttp2_session_client_new(&connection->session, callbacks, connection) != 0 ||
        nghttp2_submit_settings(connection->session, NGHTTP2_FLAG_NONE, NULL, 0) != 0)
        load_die("out of memory", "");
    nghttp2_session_callbacks_del(callbacks);
}

static void run_until(struct run *run, uint64_t end_us)
{
    struct pollfd fds[CONNECTIONS_MAX];
    while (load_now_us() < end_us) {
        for (size_t i = 0; i < run->connection_count; i++) {
            connection_send(&run->connections[i]);
            fds[i] = (struct pollfd){.fd = run->connections[i].fd, .events = POLLIN};
        }
        (void)poll(fds, run->connection_count, 100);
        for (size_t i = 0; i < run->connection_count; i++)
            if (fds[i].revents != 0)
                connection_receive(&run->connections[i]);
    }
}

/* ---- figures ---- */

struct sample {
    uint64_t at_us, done_count, server_us[SERVERS_MAX], client_us;
};

static struct sample take_sample(const struct run *run)
{
    struct sample sample = {.done_count = run->done_count,
                            .client_us = load_process_us((long)getpid())};
    for (size_t i = 0; i < run->options.load.pid_count; i++)
        sample.server_us[i] = load_process_us(run->options.load.pids[i]);
    sample.at_us = load_now_us();
    return sample;
}

static int compare(const void *a, const void *b)
{
    const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

static double percentile_ms(const struct run *run, double share)
{
    if (run->latency_count == 0)
        return 0;
    return (double)run->latencies_us[(size_t)((double)(run->latency_count - 1) * share)] / 1000;
}

static void report(struct run *run, const struct sample *begin, const struct sample *end)
{
    const double puts = (double)(end->done_count - begin->done_count);
    double servers_us = 0, most_us = 0;
    for (size_t i = 0; i < run->options.load.pid_count; i++) {
        const double us = (double)(end->server_us[i] - begin->server_us[i]) / puts;
        servers_us += us;
        most_us = us > most_us ? us : most_us;
    }
    qsort(run->latencies_us, run->latency_count, sizeof *run->latencies_us, compare);
    printf("{\"concurrency\":%u,\"puts_per_s\":%.0f,\"p50_ms\":%.3f,\"p99_ms\":%.3f,"
           "\"cpu_us_per_put\":{\"servers\":%.1f,\"leader\":%.1f,\"followers\":%.1f,"
           "\"client\":%.1f}}\n",
           run->options.load.concurrency, puts * 1e6 / (double)(end->at_us - begin->at_us),
           percentile_ms(run, 0.5), percentile_ms(run, 0.99), servers_us, most_us,
           servers_us - most_us, (double)(end->client_us - begin->client_us) / puts);
}

/* ---- beginning ---- */

static struct options read_options(int argc, char **argv)
{
    struct options options = {.load = {.concurrency = 64, .payload_bytes = 256}, .seconds = 4};
    for (int i = 1; i < argc; i++) {
        if (i + 1 == argc)
            load_die("an option lacks its value", argv[i]);
        else if (strcmp(argv[i], "--port") == 0)
            options.port = (uint16_t)strtoul(argv[++i], NULL, 10);
        else if (strcmp(argv[i], "--pids") == 0)
            load_read_pids(&options.load, argv[++i]);
        else if (strcmp(argv[i], "--concurrency") == 0)
            options.load.concurrency = (unsigned)strtoul(argv[++i], NULL, 10);
        else if (strcmp(argv[i], "--seconds") == 0)
            options.seconds = (unsigned)strtoul(argv[++i], NULL, 10);
        else if (strcmp(argv[i], "--payload") == 0)
            options.load.payload_bytes = (unsigned)strtoul(argv[++i], NULL, 10);
        else
            load_die("unknown option", argv[i]);
    }
    if (options.port == 0 || options.seconds == 0 || options.load.concurrency == 0 ||
        options.load.concurrency > CONCURRENCY_MAX || options.load.payload_bytes > PAYLOAD_MAX)
        load_die("an option is missing or out of range", "");
    return options;
}

static void open_all(struct run *run)
{
    const unsigned concurrency = run->options.load.concurrency;
    snprintf(run->authority, sizeof run->authority, "127.0.0.1:%u", (unsigned)run->options.port);
    run->connection_count = concurrency < CONNECTIONS_MAX ? concurrency : CONNECTIONS_MAX;
    run->puts = calloc(concurrency, sizeof *run->puts);
    run->latencies_us = malloc(LATENCIES_MAX * sizeof *run->latencies_us);
    if (run->puts == NULL || run->latencies_us == NULL)
        load_die("out of memory", "");
    for (size_t i = 0; i < run->connection_count; i++)
        connection_open(run, &run->connections[i]);
    for (size_t i = 0; i < concurrency; i++) {
        run->puts[i].connection = &run->connections[i % run->connection_count];
        body_fill(&run->puts[i], run->options.load.payload_bytes);
        put_begin(run, &run->puts[i]);
    }
}

static void close_all(struct run *run)
{
    for (size_t i = 0; i < run->connection_count; i++) {
        nghttp2_session_del(run->connections[i].session);
        buffer_done(&run->connections[i].out);
        close(run->connections[i].fd);
    }
    free(run->puts);
    free(run->latencies_us);
}

int main(int argc, char **argv)
{
    struct run run = {.options = read_options(argc, argv)};
    open_all(&run);
    run_until(&run, load_now_us() + WARM_UP_US);
    run.is_counting = true;
    const struct sample begin = take_sample(&run);
    run_until(&run, load_now_us() + (uint64_t)run.options.seconds * 1000000);
    const struct sample end = take_sample(&run);
    report(&run, &begin, &end);
    close_all(&run);
    return EXIT_SUCCESS;
}
