/* A ledger: what a worker did, told by the worker itself, outside the cluster. An append-only file,
 * a line per fact:
 *
 *   start  time  fence  key  type  workflow  attempt   a handler begins
 *   end    time  fence  key  completed|failed  output  it has ended
 *   ack    time  fence  key  OK|STALE|...              the cluster has answered its report
 *
 * Fields are separated by tabs; times are microseconds since 1970 UTC; keys are idempotency keys.
 * One write a line, so lines of several threads never mix.
 */
#ifndef EXAMPLES_ORDER_LEDGER_H
#define EXAMPLES_ORDER_LEDGER_H

#include "client/pawl.h"

struct ledger {
    int fd;
};

/* False: the file cannot be opened; errno says why. */
bool ledger_open(struct ledger *ledger, const char *path);
void ledger_start(const struct ledger *ledger, const struct pawl_task *task);
/* outcome: "completed" or "failed"; output: compact JSON, or the reason. */
void ledger_end(const struct ledger *ledger, const struct pawl_task *task, const char *outcome,
                const char *output);
void ledger_acknowledged(const struct ledger *ledger, const struct pawl_task *task,
                         enum pawl_error error);

#endif
