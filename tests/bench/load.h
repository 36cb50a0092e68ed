/* A load for measuring: C three-step workflows are open at once, each started when one before it
 * has ended; the same handle works for all step types, inline, and so do those of further workers.
 * Nothing is ever given up: what was started and did not end well, and every report that was
 * refused, counts as lost.
 *
 * Failures of the machine end the process: there is nothing to measure then.
 */
#ifndef PAWL_BENCH_LOAD_H
#define PAWL_BENCH_LOAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "client/pawl.h"

enum { STEPS_PER_WORKFLOW = 3, SERVERS_MAX = 9, PAYLOAD_MAX = 65536 };

struct load_options {
    const char *nodes;
    long pids[SERVERS_MAX]; /* of the servers, for their CPU time */
    size_t pid_count;
    unsigned concurrency, payload_bytes;
    unsigned worker_count; /* 0: one */
    /* Each report that was acknowledged, on the library's thread; NULL: nobody asks. */
    void (*on_acknowledged)(void *user, uint64_t at_us);
    void *user;
};

/* Counters of one moment. */
struct load_sample {
    uint64_t at_us;
    uint64_t workflows, acknowledged;           /* ended well; reports */
    uint64_t server_us[SERVERS_MAX], client_us; /* CPU time */
    uint64_t commits, syncs;                    /* of the node that was asked */
};

struct load;

/* Open, deploy and begin to work; no workflow yet. */
struct load *load_new(const struct load_options *options);
void load_begin(struct load *load);
struct load_sample load_take_sample(struct load *load);
/* From now on latencies of workflows are kept, or no more. */
void load_set_counting(struct load *load, bool is_counting);
/* Start no more, wait until all have ended, a minute at most. What was lost. */
uint64_t load_end(struct load *load);
/* Of the workflows that ended while counting; after load_end. */
double load_percentile_ms(struct load *load, double share);
void load_free(struct load *load);

/* Comma-separated process ids. */
void load_read_pids(struct load_options *options, const char *list);
uint64_t load_now_us(void); /* monotonic */
/* CPU time of a process, all its threads. */
uint64_t load_process_us(long pid);
/* What a worker does with a step: complete it with its input. */
enum pawl_task_state load_complete(struct pawl_task *task, void *user);
_Noreturn void load_die(const char *what, const char *detail);

#endif
