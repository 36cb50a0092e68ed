#include "wire/listener.h"

#include <dirent.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "proto/limits.h"
#include "wire/dial.h"

enum {
    BACKLOG = 4096,       /* nng's own is 128, too small for a storm of reconnects */
    ACCEPT_PAUSE_MS = 20, /* after a failed accept: no memory, no descriptors */
};

struct listener {
    struct listener *next_listener;
    struct wire *wire;
    uint64_t tag;
    nng_stream_listener *listener;
    nng_aio *aio;
    struct connection *ready; /* for the next accept; NULL: no memory for it yet */
    bool is_pausing;          /* the aio sleeps */
    _Atomic bool is_closing;
};

struct listener *listener_next(const struct listener *listener)
{
    return listener->next_listener;
}

void listener_link(struct listener *listener, struct listener *next)
{
    listener->next_listener = next;
}

static uint16_t port_of(const struct sockaddr_storage *address)
{
    if (address->ss_family == AF_INET)
        return ntohs(((const struct sockaddr_in *)(const void *)address)->sin_port);
    if (address->ss_family == AF_INET6)
        return ntohs(((const struct sockaddr_in6 *)(const void *)address)->sin6_port);
    return 0;
}

static bool is_listening_on(int fd, uint16_t port)
{
    int is_accepting = 0;
    struct sockaddr_storage address = {0};
    socklen_t option_size = sizeof is_accepting, address_size = sizeof address;
    return getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &is_accepting, &option_size) == 0 &&
           is_accepting != 0 && getsockname(fd, (struct sockaddr *)&address, &address_size) == 0 &&
           port_of(&address) == port;
}

/* nng keeps its descriptor to itself; find it, and listen again with a backlog that holds a storm.
 */
static void backlog_raise(uint16_t port)
{
    DIR *directory = opendir("/proc/self/fd");
    if (directory == NULL)
        return;
    for (const struct dirent *entry; (entry = readdir(directory)) != NULL;) {
        char *end;
        long fd = strtol(entry->d_name, &end, 10);
        if (end != entry->d_name && *end == '\0' && is_listening_on((int)fd, port))
            listen((int)fd, BACKLOG);
    }
    closedir(directory);
}

static void accept_next(struct listener *listener)
{
    if (listener->ready == NULL)
        listener->ready = connection_new(listener->wire, listener->tag);
    listener->is_pausing = listener->ready == NULL;
    if (listener->is_pausing)
        nng_sleep_aio(ACCEPT_PAUSE_MS, listener->aio);
    else
        nng_stream_listener_accept(listener->listener, listener->aio);
}

static void accepted(struct listener *listener, nng_stream *stream)
{
    struct wire *wire = listener->wire;
    struct connection *connection = listener->ready;
    listener->ready = NULL;
    reaper_expect(&wire->reaper);
    uint32_t count = atomic_fetch_add(&wire->connection_count, 1);
    pthread_mutex_lock(&connection->mutex);
    if (count < wire->options.connections_max) {
        connection_start(connection, stream, NOTICE_ACCEPTED);
    } else {
        connection->stream = stream;
        connection->is_silent = true;
        connection_down(connection, "too many connections");
    }
    pthread_mutex_unlock(&connection->mutex);
}

static void accept_done(void *self)
{
    struct listener *listener = self;
    int result = nng_aio_result(listener->aio);
    if (listener->is_closing || result == NNG_ECLOSED || result == NNG_ECANCELED) {
        if (result == 0 && !listener->is_pausing)
            nng_stream_free(nng_aio_get_output(listener->aio, 0));
        return;
    }
    if (listener->is_pausing) {
        accept_next(listener);
    } else if (result == 0) {
        accepted(listener, nng_aio_get_output(listener->aio, 0));
        accept_next(listener);
    } else {
        listener->is_pausing = true;
        nng_sleep_aio(ACCEPT_PAUSE_MS, listener->aio);
    }
}

static int stream_listen(struct listener *listener, const char *url, uint16_t *port_out)
{
    int port = 0;
    int result = nng_stream_listener_alloc(&listener->listener, url);
    if (result != 0)
        return result;
    nng_stream_listener_set_bool(listener->listener, NNG_OPT_TCP_NODELAY, true);
    nng_stream_listener_set_bool(listener->listener, NNG_OPT_TCP_KEEPALIVE, true);
    result = nng_stream_listener_listen(listener->listener);
    if (result == 0)
        result = nng_stream_listener_get_int(listener->listener, NNG_OPT_TCP_BOUND_PORT, &port);
    if (result == 0)
        result = nng_aio_alloc(&listener->aio, accept_done, listener);
    *port_out = (uint16_t)port;
    return result;
}

static void listener_free(struct listener *listener)
{
    if (listener->aio != NULL)
        nng_aio_free(listener->aio);
    if (listener->listener != NULL)
        nng_stream_listener_free(listener->listener);
    if (listener->ready != NULL)
        connection_free(listener->ready);
    free(listener);
}

enum pawl_error listener_open(struct wire *wire, const char *address, uint64_t tag,
                              struct listener **listener_out, uint16_t *port_out,
                              struct pawl_diag *diag)
{
    char url[NAME_BYTES_MAX + 16];
    if (!url_of(bytes_string(address), url, sizeof url))
        return diag_fail(diag, PAWL_E_INVALID, "%s is no address like host:port", address);
    struct listener *listener = calloc(1, sizeof *listener);
    if (listener == NULL)
        return diag_fail(diag, PAWL_E_NO_MEMORY, "no memory to listen on %s", address);
    listener->wire = wire;
    listener->tag = tag;
    uint16_t port;
    int result = stream_listen(listener, url, &port);
    if (result != 0) {
        listener_free(listener);
        return diag_fail(diag, PAWL_E_NETWORK, "cannot listen on %s: %s", address,
                         nng_strerror(result));
    }
    backlog_raise(port);
    accept_next(listener);
    *listener_out = listener;
    *port_out = port;
    return PAWL_OK;
}

void listener_close(struct listener *listener)
{
    listener->is_closing = true;
    nng_stream_listener_close(listener->listener);
    nng_aio_stop(listener->aio);
    listener_free(listener);
}
