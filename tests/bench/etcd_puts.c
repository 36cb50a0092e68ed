/* Puts per second into an etcd cluster, for comparison: puts of unique keys, with values of 256
 * bytes or as many as --payload says, to one node, which should be the leader.
 *
 *   etcd_puts --port PORT --pids P,P,P [--concurrency C] [--seconds S] [--payload BYTES]
 *
 * pids are those of the servers, for their CPU time. A second of warm-up is not counted. Prints one
 * line of JSON.
 *
 * Source: gRPC over HTTP2 (grpc/doc/PROTOCOL-HTTP2.md); etcdserverpb.KV/Put, key is field 1, value
 * field 2.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/bytes.h"
#include "tests/bench/calls.h"

enum {
    KEY_BYTES = 12,
    PREFIX_BYTES = 5, /* of a gRPC message: compression, size */
    VARINT_BYTES = 3, /* of a value's size, always */
    OVERHEAD_BYTES = PREFIX_BYTES + 2 + KEY_BYTES + 1 + VARINT_BYTES,
};
_Static_assert((int)OVERHEAD_BYTES <= (int)CALLS_OVERHEAD_MAX, "a put has room around its value");

/* Written with as many bytes as the largest needs, which protobuf allows. */
static void varint_put(uint8_t *at, size_t number)
{
    for (size_t i = 0; i < VARINT_BYTES; i++)
        at[i] = (uint8_t)((number >> 7 * i & 0x7f) | (i + 1 < VARINT_BYTES ? 0x80 : 0));
}

/* Everything but the key. */
static size_t put_write(uint8_t *body, unsigned value_bytes)
{
    uint8_t *at = body;
    *at++ = 0;
    be32_put(at, (uint32_t)(OVERHEAD_BYTES - PREFIX_BYTES + value_bytes));
    at += 4;
    *at++ = 1 << 3 | 2; /* field 1, bytes */
    *at++ = KEY_BYTES;
    at += KEY_BYTES;
    *at++ = 2 << 3 | 2;
    varint_put(at, value_bytes);
    memset(at + VARINT_BYTES, 'v', value_bytes);
    return OVERHEAD_BYTES + value_bytes;
}

static void key_write(uint8_t *body, uint64_t number)
{
    char key[KEY_BYTES + 8];
    snprintf(key, sizeof key, "%0*llx", KEY_BYTES, (unsigned long long)number & 0xffffffffffff);
    memcpy(body + PREFIX_BYTES + 2, key, KEY_BYTES);
}

/* The leader is the server that worked most. */
static void report(const struct calls_figures *figures)
{
    double servers_us = 0, most_us = 0;
    for (size_t i = 0; i < figures->server_count; i++) {
        servers_us += figures->server_us[i];
        most_us = figures->server_us[i] > most_us ? figures->server_us[i] : most_us;
    }
    printf("{\"concurrency\":%u,\"puts_per_s\":%.0f,\"p50_ms\":%.3f,\"p99_ms\":%.3f,"
           "\"cpu_us_per_put\":{\"servers\":%.1f,\"leader\":%.1f,\"followers\":%.1f,"
           "\"client\":%.1f}}\n",
           figures->concurrency, figures->calls_per_s, figures->p50_ms, figures->p99_ms, servers_us,
           most_us, servers_us - most_us, figures->client_us);
}

int main(int argc, char **argv)
{
    static const struct calls_kind put = {.path = "/etcdserverpb.KV/Put",
                                          .content_type = "application/grpc",
                                          .good_header = "grpc-status",
                                          .good_value = "0",
                                          .payload_bytes = 256,
                                          .warm_up_s = 1,
                                          .body_write = put_write,
                                          .body_number = key_write};
    const struct calls_figures figures = calls_measure(&put, argc, argv);
    report(&figures);
    return EXIT_SUCCESS;
}
