#include "wire/notices.h"

#include <assert.h>
#include <errno.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "wire/connection.h"

enum pawl_error notices_init(struct notices *notices, struct pawl_diag *diag)
{
    *notices = (struct notices){.fd = eventfd(0, EFD_CLOEXEC | EFD_SEMAPHORE)};
    if (notices->fd < 0)
        return diag_fail(diag, PAWL_E_IO, "eventfd: %s", strerror(errno));
    pthread_mutex_init(&notices->mutex, NULL);
    return PAWL_OK;
}

void notices_done(struct notices *notices)
{
    pthread_mutex_destroy(&notices->mutex);
    close(notices->fd);
}

/* False: the list was empty. */
static bool list_append(struct notices *notices, struct connection *connection)
{
    const bool was_filled = notices->first != NULL;
    connection->noticed.next = NULL;
    if (was_filled)
        notices->last->noticed.next = connection;
    else
        notices->first = connection;
    notices->last = connection;
    return was_filled;
}

void notices_add(struct notices *notices, struct connection *connection, unsigned seen)
{
    pthread_mutex_lock(&notices->mutex);
    const bool was_filled = connection->noticed.seen != 0 || list_append(notices, connection);
    connection->noticed.seen |= seen;
    pthread_mutex_unlock(&notices->mutex);
    if (was_filled)
        return;
    ssize_t written = write(notices->fd, &(uint64_t){1}, sizeof(uint64_t));
    assert(written == sizeof(uint64_t));
    (void)written;
}

/* Whoever filled the list has written, or is about to. */
static void written_take(struct notices *notices)
{
    uint64_t drained;
    ssize_t taken;
    do
        taken = read(notices->fd, &drained, sizeof drained);
    while (taken < 0 && errno == EINTR);
    assert(taken == sizeof drained);
}

struct connection *notices_take(struct notices *notices, unsigned *seen_out)
{
    pthread_mutex_lock(&notices->mutex);
    struct connection *connection = notices->first;
    if (connection != NULL) {
        notices->first = connection->noticed.next;
        *seen_out = connection->noticed.seen;
        connection->noticed.seen = 0;
    }
    const bool was_last = connection != NULL && notices->first == NULL;
    pthread_mutex_unlock(&notices->mutex);
    if (was_last)
        written_take(notices);
    return connection;
}
