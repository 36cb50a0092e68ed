#include "examples/order/ledger.h"

#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

bool ledger_open(struct ledger *ledger, const char *path)
{
    ledger->fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    return ledger->fd >= 0;
}

static void put(const struct ledger *ledger, const char *fact, const struct pawl_task *task,
                const char *rest, ...) __attribute__((format(printf, 4, 5)));

static void put(const struct ledger *ledger, const char *fact, const struct pawl_task *task,
                const char *rest, ...)
{
    char line[8192];
    struct timespec now;
    va_list arguments;
    clock_gettime(CLOCK_REALTIME, &now);
    int size = snprintf(line, sizeof line, "%s\t%lld\t%s\t%s\t", fact,
                        (long long)now.tv_sec * 1000000 + now.tv_nsec / 1000,
                        pawl_task_fence_text(task), pawl_task_idempotency_key(task));
    va_start(arguments, rest);
    size += vsnprintf(line + size, sizeof line - (size_t)size - 1, rest, arguments);
    va_end(arguments);
    if (size > (int)sizeof line - 2)
        size = (int)sizeof line - 2;
    line[size++] = '\n';
    if (write(ledger->fd, line, (size_t)size) != size) {
        perror("the ledger cannot be written");
        exit(1); /* a service that cannot keep its books must not serve */
    }
}

void ledger_start(const struct ledger *ledger, const struct pawl_task *task)
{
    put(ledger, "start", task, "%s\t%s\t%u", pawl_task_type(task), pawl_task_workflow_id(task),
        pawl_task_attempt(task));
}

void ledger_end(const struct ledger *ledger, const struct pawl_task *task, const char *outcome,
                const char *output)
{
    put(ledger, "end", task, "%s\t%s", outcome, output);
}

void ledger_acknowledged(const struct ledger *ledger, const struct pawl_task *task,
                         enum pawl_error error)
{
    put(ledger, "ack", task, "%s", pawl_error_name(error));
}
