#include "wire/dial.h"

#include <stdio.h>
#include <stdlib.h>

#include "proto/limits.h"

struct dial {
    struct reap_item reap_item;
    struct connection *connection;
    nng_stream_dialer *dialer;
    nng_aio *aio;
};

bool url_of(struct bytes address, char *url_out, size_t url_size)
{
    if (address.size == 0 || memchr(address.data, ':', address.size) == NULL ||
        memchr(address.data, '/', address.size) != NULL ||
        memchr(address.data, '\0', address.size) != NULL)
        return false;
    int written =
        snprintf(url_out, url_size, "tcp://%.*s", (int)address.size, (const char *)address.data);
    return written > 0 && (size_t)written < url_size;
}

/* On the reaper's thread. A dial that ends just when its time is up is given up by nng's timer
 * thread too, which enters the dialer: only the freeing of the aio waits for that, so the dialer is
 * freed after it. */
static void dial_bury(struct reap_item *item)
{
    struct dial *dial = (struct dial *)item;
    nng_stream_dialer_close(dial->dialer);
    nng_aio_stop(dial->aio);
    nng_aio_free(dial->aio);
    nng_stream_dialer_free(dial->dialer);
    free(dial);
}

static void dial_ended(struct connection *connection, int result, nng_stream *stream)
{
    connection->dial = NULL;
    if (connection->is_down) {
        connection->stream = stream;
        if (stream != NULL)
            nng_stream_close(stream);
        connection_reap(connection);
    } else if (result != 0) {
        connection_down(connection, nng_strerror(result));
    } else {
        connection_start(connection, stream, NOTICE_DIALLED);
    }
}

static void dial_done(void *self)
{
    struct dial *dial = self;
    struct connection *connection = dial->connection;
    int result = nng_aio_result(dial->aio);
    nng_stream *stream = result == 0 ? nng_aio_get_output(dial->aio, 0) : NULL;
    struct reaper *reaper = &connection->wire->reaper;
    pthread_mutex_lock(&connection->mutex);
    dial_ended(connection, result, stream);
    pthread_mutex_unlock(&connection->mutex);
    reaper_take(reaper, &dial->reap_item);
}

void dial_cancel(struct dial *dial)
{
    nng_aio_cancel(dial->aio);
}

/* NULL: reason_out says why. */
static struct dial *dial_new(struct connection *connection, struct bytes address,
                             const char **reason_out)
{
    char url[NAME_BYTES_MAX + 16];
    *reason_out = "the address is not host:port";
    if (!url_of(address, url, sizeof url))
        return NULL;
    *reason_out = "out of memory";
    struct dial *dial = calloc(1, sizeof *dial);
    if (dial == NULL)
        return NULL;
    dial->reap_item.reap = dial_bury;
    dial->connection = connection;
    int result = nng_stream_dialer_alloc(&dial->dialer, url);
    if (result != 0) {
        *reason_out = nng_strerror(result);
        free(dial);
        return NULL;
    }
    if (nng_aio_alloc(&dial->aio, dial_done, dial) != 0) {
        nng_stream_dialer_free(dial->dialer);
        free(dial);
        return NULL;
    }
    return dial;
}

void dial_begin(struct connection *connection, struct bytes address, uint32_t timeout_ms)
{
    const char *reason;
    struct dial *dial = dial_new(connection, address, &reason);
    if (dial == NULL) {
        pthread_mutex_lock(&connection->mutex);
        connection_down(connection, reason);
        pthread_mutex_unlock(&connection->mutex);
        return;
    }
    nng_stream_dialer_set_bool(dial->dialer, NNG_OPT_TCP_NODELAY, true);
    nng_stream_dialer_set_bool(dial->dialer, NNG_OPT_TCP_KEEPALIVE, true);
    nng_aio_set_timeout(dial->aio, (nng_duration)(timeout_ms < 1 ? 1 : timeout_ms));
    reaper_expect(&connection->wire->reaper);
    connection->dial = dial;
    nng_stream_dialer_dial(dial->dialer, dial->aio);
}
