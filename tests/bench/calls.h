/* Calls of one kind to an HTTP/2 server, for measuring it: C are in flight over at most eight
 * connections, each followed by the next when its answer has come, in as little CPU as HTTP/2
 * allows. What is warm-up is not counted. A call that fails ends the process, as does a machine
 * that fails: there is nothing to measure then.
 */
#ifndef PAWL_BENCH_CALLS_H
#define PAWL_BENCH_CALLS_H

#include <stddef.h>
#include <stdint.h>

#include "tests/bench/load.h"

/* What is called, and how an answer is told from a failure. */
struct calls_kind {
    const char *path, *content_type;
    const char *good_header, *good_value; /* of a good answer: in its headers or trailers */
    unsigned payload_bytes;               /* unless --payload says otherwise */
    unsigned warm_up_s;
    /* Write a body around a payload; its size, at most CALLS_OVERHEAD_MAX more than the payload. */
    size_t (*body_write)(uint8_t *body, unsigned payload_bytes);
    /* Make the body that of the call of this number; NULL: all are alike. */
    void (*body_number)(uint8_t *body, uint64_t number);
};

enum { CALLS_OVERHEAD_MAX = 64 };

/* Per second and per call. */
struct calls_figures {
    unsigned concurrency;
    size_t server_count;
    double calls_per_s, p50_ms, p99_ms;
    double server_us[SERVERS_MAX], client_us; /* CPU time; servers as in --pids */
};

/* Read `--port PORT --pids P,.. [--concurrency C] [--seconds S] [--payload BYTES]` and measure. */
struct calls_figures calls_measure(const struct calls_kind *kind, int argc, char **argv);

#endif
