#include "wire/notices.h"

#include <assert.h>
#include <errno.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "wire/connection.h"

enum pawl_error notices_init(struct notices *notices, struct pawl_diag *diag)
{
    *notices = (struct notices){.fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};
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

static void list_append(struct notices *notices, struct connection *connection)
{
    connection->noticed.next = NULL;
    if (notices->first != NULL) {
        notices->last->noticed.next = connection;
    } else {
        notices->first = connection;
        ssize_t written = write(notices->fd, &(uint64_t){1}, sizeof(uint64_t));
        assert(written == sizeof(uint64_t));
        (void)written;
    }
    notices->last = connection;
}

static struct connection *list_take(struct notices *notices)
{
    struct connection *connection = notices->first;
    notices->first = connection->noticed.next;
    if (notices->first == NULL) {
        uint64_t drained;
        ssize_t taken = read(notices->fd, &drained, sizeof drained);
        assert(taken == sizeof drained);
        (void)taken;
    }
    return connection;
}

void notices_add(struct notices *notices, struct connection *connection, unsigned seen)
{
    pthread_mutex_lock(&notices->mutex);
    if (connection->noticed.seen == 0)
        list_append(notices, connection);
    connection->noticed.seen |= seen;
    pthread_mutex_unlock(&notices->mutex);
}

struct connection *notices_take(struct notices *notices, unsigned *seen_out)
{
    struct connection *connection = NULL;
    pthread_mutex_lock(&notices->mutex);
    if (notices->first != NULL) {
        connection = list_take(notices);
        *seen_out = connection->noticed.seen;
        connection->noticed.seen = 0;
    }
    pthread_mutex_unlock(&notices->mutex);
    return connection;
}
