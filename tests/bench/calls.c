#include "tests/bench/calls.h"

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

enum {
    CONNECTIONS_MAX = 8,
    CONCURRENCY_MAX = 4096,
    LATENCIES_MAX = 1 << 22,
    READ_BYTES = 1 << 16,
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

struct call { /* one of the C, over and over */
    struct connection *connection;
    uint8_t *body;
    size_t body_bytes, sent_bytes;
    uint64_t begin_us;
    bool is_good;
};

struct run {
    struct options options;
    const struct calls_kind *kind;
    char authority[32];
    struct connection connections[CONNECTIONS_MAX];
    size_t connection_count;
    struct call *calls;
    uint8_t *bodies;
    uint64_t begun_count, done_count;
    bool is_counting;
    uint64_t *latencies_us;
    size_t latency_count;
};

/* ---- one call ---- */

static ssize_t body_read(nghttp2_session *session, int32_t stream, uint8_t *out, size_t size,
                         uint32_t *flags, nghttp2_data_source *source, void *user)
{
    struct call *call = source->ptr;
    const size_t rest = call->body_bytes - call->sent_bytes, count = rest < size ? rest : size;
    (void)session;
    (void)stream;
    (void)user;
    memcpy(out, call->body + call->sent_bytes, count);
    call->sent_bytes += count;
    if (call->sent_bytes == call->body_bytes)
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

static void call_begin(struct run *run, struct call *call)
{
    const nghttp2_nv headers[] = {
        header(":method", "POST"),
        header(":scheme", "http"),
        header(":path", run->kind->path),
        header(":authority", run->authority),
        header("content-type", run->kind->content_type),
        header("te", "trailers"),
    };
    const nghttp2_data_provider provider = {.source = {.ptr = call}, .read_callback = body_read};
    run->begun_count++;
    if (run->kind->body_number != NULL)
        run->kind->body_number(call->body, run->begun_count);
    call->sent_bytes = 0;
    call->is_good = false;
    call->begin_us = load_now_us();
    if (nghttp2_submit_request(call->connection->session, NULL, headers,
                               sizeof headers / sizeof headers[0], &provider, call) < 0)
        load_die("a request cannot be submitted", "");
}

/* ---- what the server says ---- */

static int on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name,
                     size_t name_size, const uint8_t *value, size_t value_size, uint8_t flags,
                     void *user)
{
    const struct calls_kind *kind = ((struct connection *)user)->run->kind;
    (void)flags;
    if (!bytes_equal(bytes_of(name, name_size),
                     bytes_of(kind->good_header, strlen(kind->good_header))))
        return 0;
    struct call *call = nghttp2_session_get_stream_user_data(session, frame->hd.stream_id);
    if (call != NULL)
        call->is_good = bytes_equal(bytes_of(value, value_size),
                                    bytes_of(kind->good_value, strlen(kind->good_value)));
    return 0;
}

static int on_stream_close(nghttp2_session *session, int32_t stream, uint32_t error, void *user)
{
    struct run *run = ((struct connection *)user)->run;
    struct call *call = nghttp2_session_get_stream_user_data(session, stream);
    if (call == NULL)
        return 0;
    if (error != NGHTTP2_NO_ERROR || !call->is_good)
        load_die("a call failed", nghttp2_http2_strerror(error));
    run->done_count++;
    if (run->is_counting && run->latency_count < LATENCIES_MAX)
        run->latencies_us[run->latency_count++] = load_now_us() - call->begin_us;
    call_begin(run, call);
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

static void run_for(struct run *run, unsigned seconds)
{
    const uint64_t end_us = load_now_us() + (uint64_t)seconds * 1000000;
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

static struct calls_figures figures_of(struct run *run, const struct sample *begin,
                                       const struct sample *end)
{
    const double calls = (double)(end->done_count - begin->done_count);
    if (calls == 0)
        load_die("no call was answered in time", "longer --seconds are needed");
    struct calls_figures figures = {
        .concurrency = run->options.load.concurrency,
        .server_count = run->options.load.pid_count,
        .calls_per_s = calls * 1e6 / (double)(end->at_us - begin->at_us),
        .client_us = (double)(end->client_us - begin->client_us) / calls,
    };
    for (size_t i = 0; i < figures.server_count; i++)
        figures.server_us[i] = (double)(end->server_us[i] - begin->server_us[i]) / calls;
    qsort(run->latencies_us, run->latency_count, sizeof *run->latencies_us, compare);
    figures.p50_ms = percentile_ms(run, 0.5);
    figures.p99_ms = percentile_ms(run, 0.99);
    return figures;
}

/* ---- beginning ---- */

static struct options read_options(const struct calls_kind *kind, int argc, char **argv)
{
    struct options options = {.load = {.concurrency = 64, .payload_bytes = kind->payload_bytes},
                              .seconds = 4};
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
    const unsigned payload_bytes = run->options.load.payload_bytes;
    const size_t body_bytes_max = (size_t)payload_bytes + CALLS_OVERHEAD_MAX;
    snprintf(run->authority, sizeof run->authority, "127.0.0.1:%u", (unsigned)run->options.port);
    run->connection_count = concurrency < CONNECTIONS_MAX ? concurrency : CONNECTIONS_MAX;
    run->calls = calloc(concurrency, sizeof *run->calls);
    run->bodies = malloc(concurrency * body_bytes_max);
    run->latencies_us = malloc(LATENCIES_MAX * sizeof *run->latencies_us);
    if (run->calls == NULL || run->bodies == NULL || run->latencies_us == NULL)
        load_die("out of memory", "");
    for (size_t i = 0; i < run->connection_count; i++)
        connection_open(run, &run->connections[i]);
    for (size_t i = 0; i < concurrency; i++) {
        struct call *call = &run->calls[i];
        call->connection = &run->connections[i % run->connection_count];
        call->body = run->bodies + i * body_bytes_max;
        call->body_bytes = run->kind->body_write(call->body, payload_bytes);
        call_begin(run, call);
    }
}

static void close_all(struct run *run)
{
    for (size_t i = 0; i < run->connection_count; i++) {
        nghttp2_session_del(run->connections[i].session);
        buffer_done(&run->connections[i].out);
        close(run->connections[i].fd);
    }
    free(run->calls);
    free(run->bodies);
    free(run->latencies_us);
}

struct calls_figures calls_measure(const struct calls_kind *kind, int argc, char **argv)
{
    struct run run = {.kind = kind, .options = read_options(kind, argc, argv)};
    open_all(&run);
    run_for(&run, kind->warm_up_s);
    run.is_counting = true;
    const struct sample begin = take_sample(&run);
    run_for(&run, run.options.seconds);
    const struct sample end = take_sample(&run);
    const struct calls_figures figures = figures_of(&run, &begin, &end);
    close_all(&run);
    return figures;
}
