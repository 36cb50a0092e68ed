/* A follower of three: the test is its leader, its log is perfect, its flushes take as long as the
 * test says. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "node/replica.h"
#include "node/store/rows_map.h"
#include "raft/raft.h"

enum {
    LEADER = 1,
    FOLLOWER = 2,
    TERM = 1,
    VALUE_BYTES = 4000,
    WINDOW_BYTES_BUSY = 24 << 10,
    WINDOW_BYTES_STOP = 32 << 10,
    FLUSH_BYTES = 10 << 10,
    CACHE_BYTES = 4 << 10,
};

struct follower {
    struct replica *replica;
    struct rows_map *rows;
    struct job *jobs;
    uint64_t now_us;
    bool holds_flushes;
    uint64_t match_index; /* as it told its leader */
};

static uint64_t now_us(void *self)
{
    return ((const struct follower *)self)->now_us;
}

static void fill(void *self, void *out, size_t size)
{
    (void)self;
    memset(out, 7, size);
}

static void peer_send(void *self, uint64_t node, uint8_t type, const struct bytes *parts,
                      size_t part_count)
{
    struct follower *follower = self;
    struct buffer body = {0};
    struct arena arena = {0};
    struct msg_raft message;
    assert_int_equal(type, FRAME_PEER_RAFT);
    for (size_t i = 0; i < part_count; i++)
        buffer_append(&body, parts[i].data, parts[i].size);
    assert_int_equal(raft_message_decode(buffer_bytes(&body), &arena, &message), PAWL_OK);
    if (node == LEADER && message.kind == RAFT_MSG_APPEND_REPLY && !message.is_rejected)
        follower->match_index = message.match_index;
    arena_done(&arena);
    buffer_done(&body);
}

static bool client_send(void *self, uint64_t connection, uint8_t type, struct bytes body)
{
    (void)self, (void)connection, (void)type, (void)body;
    return true;
}

static void client_close(void *self, uint64_t connection)
{
    (void)self, (void)connection;
}

static void submit(void *self, struct job *job_take)
{
    struct follower *follower = self;
    struct job **end = &follower->jobs;
    while (*end != NULL)
        end = &(*end)->next;
    job_take->next = NULL;
    *end = job_take;
}

static struct job *take_job(struct follower *follower)
{
    for (struct job **at = &follower->jobs; *at != NULL; at = &(*at)->next) {
        struct job *job = *at;
        if (job->kind == JOB_FLUSH && follower->holds_flushes)
            continue;
        *at = job->next;
        return job;
    }
    return NULL;
}

static void turn(struct follower *follower, const struct replica_input *input)
{
    const struct rows_port rows = rows_map_port(follower->rows);
    struct replica_input done = {.kind = REPLICA_JOB_DONE};
    follower->now_us += 1000;
    replica_turn(follower->replica, input, input != NULL ? 1 : 0);
    replica_check(follower->replica);
    while ((done.job = take_job(follower)) != NULL) {
        if (done.job->kind == JOB_FLUSH)
            (void)job_run_flush(&rows, done.job);
        replica_turn(follower->replica, &done, 1);
        replica_check(follower->replica);
    }
}

static void hear(struct follower *follower, const struct msg_raft *message)
{
    struct buffer fields = {0}, body = {0};
    struct arena arena = {0};
    struct bytes *parts;
    size_t part_count;
    assert_int_equal(raft_message_encode(message, &arena, &fields, &parts, &part_count), PAWL_OK);
    for (size_t i = 0; i < part_count; i++)
        buffer_append(&body, parts[i].data, parts[i].size);
    assert_false(body.is_failed);
    const struct replica_input input = {.kind = REPLICA_PEER_FRAME,
                                        .source = LEADER,
                                        .type = FRAME_PEER_RAFT,
                                        .body = buffer_bytes(&body)};
    turn(follower, &input);
    arena_done(&arena);
    buffer_done(&fields);
    buffer_done(&body);
}

static struct msg_raft append_after(uint64_t previous_index)
{
    return (struct msg_raft){.from = LEADER,
                             .to = FOLLOWER,
                             .kind = RAFT_MSG_APPEND,
                             .term = TERM,
                             .previous_index = previous_index,
                             .previous_term = previous_index > 0 ? TERM : 0,
                             .commit_index = previous_index,
                             .wall_us = 1700000000000000};
}

/* The entry behind those that the follower has acknowledged; it is committed with the next one. */
static void append_one(struct follower *follower)
{
    static uint8_t value[VALUE_BYTES];
    uint8_t key[12] = {0};
    be64_put(key, follower->match_index + 1);
    struct row_write write = {.table = TABLE_JOURNAL,
                              .is_new = true,
                              .key = bytes_of(key, sizeof key),
                              .value = bytes_of(value, sizeof value)};
    const struct entry entry = {.clock_us = 1700000000000000, .writes = &write, .write_count = 1};
    struct buffer payload = {0};
    entry_encode(&entry, &payload);
    struct msg_raft_entry sent = {
        .term = TERM, .kind = RAFT_ENTRY_COMMAND, .payload = buffer_bytes(&payload)};
    struct msg_raft append = append_after(follower->match_index);
    append.entries = (struct list){&sent, 1};
    hear(follower, &append);
    buffer_done(&payload);
}

static void heartbeat(struct follower *follower)
{
    const struct msg_raft append = append_after(follower->match_index);
    hear(follower, &append);
}

static int begin(void **state)
{
    struct follower *follower = calloc(1, sizeof *follower);
    const struct replica_restored restored = {.is_vote_withheld = false};
    if (follower == NULL)
        return -1;
    *follower = (struct follower){.now_us = 1000000,
                                  .rows = rows_map_new(&(struct rows_map_options){1, {{0}}})};
    struct replica_options options = {.node = FOLLOWER,
                                      .name = BYTES_LITERAL("n2"),
                                      .member_count = 3,
                                      .clock = {follower, now_us, now_us},
                                      .entropy = {follower, fill},
                                      .links = {follower, peer_send, client_send, client_close},
                                      .jobs = {follower, submit},
                                      .election_timeout_ms_min = 100000,
                                      .election_timeout_ms_max = 200000,
                                      .window_bytes_busy = WINDOW_BYTES_BUSY,
                                      .window_bytes_stop = WINDOW_BYTES_STOP,
                                      .flush_bytes = FLUSH_BYTES,
                                      .cache_bytes_max = CACHE_BYTES};
    for (size_t i = 0; i < options.member_count; i++)
        options.members[i] = (struct msg_member){.node = i + 1, .name = BYTES_LITERAL("n")};
    *state = follower;
    return replica_new(&options, &restored, &follower->replica) == PAWL_OK ? 0 : -1;
}

static int end(void **state)
{
    struct follower *follower = *state;
    for (struct job *job = follower->jobs, *next; job != NULL; job = next) {
        next = job->next;
        replica_abandon(follower->replica, job);
    }
    replica_free(follower->replica);
    rows_map_free(follower->rows);
    free(follower);
    return 0;
}

static void test_follower_whose_store_stands_still_takes_only_so_much(void **state)
{
    enum { MORE_THAN_FIT = 200 };
    struct follower *follower = *state;
    follower->holds_flushes = true;
    for (int i = 0; i < MORE_THAN_FIT; i++)
        append_one(follower);
    heartbeat(follower);
    const uint64_t taken = follower->match_index;
    assert_true(taken * VALUE_BYTES > WINDOW_BYTES_STOP);
    assert_true(taken * VALUE_BYTES < 3 * WINDOW_BYTES_STOP);
    assert_int_equal(replica_status(follower->replica).commit_index, taken);

    follower->holds_flushes = false;
    heartbeat(follower);
    for (int i = 0; i < MORE_THAN_FIT; i++) {
        follower->now_us += 200000;
        append_one(follower);
    }
    assert_int_equal(follower->match_index, taken + MORE_THAN_FIT);
}

static uint64_t flushed_index(const struct follower *follower)
{
    return replica_status(follower->replica).flushed_index;
}

/* One entry more in the window, and its leader says that it is committed. */
static void apply_one(struct follower *follower)
{
    append_one(follower);
    heartbeat(follower);
    assert_int_equal(replica_status(follower->replica).applied_index, follower->match_index);
}

/* Milliseconds until the window is flushed, a turn in each. */
static uint64_t flush_await(struct follower *follower)
{
    const uint64_t begun_us = follower->now_us;
    while (flushed_index(follower) < follower->match_index) {
        assert_true(follower->now_us - begun_us < 1000000);
        heartbeat(follower);
    }
    return (follower->now_us - begun_us) / 1000;
}

static void test_follower_flushes_when_the_oldest_of_its_window_has_waited(void **state)
{
    enum { INTERVAL_MS = 200, ROUNDS = 3 };
    struct follower *follower = *state;
    for (int i = 0; i < ROUNDS; i++) {
        apply_one(follower);
        const uint64_t applied_us = follower->now_us;
        apply_one(follower); /* goes with the first, and puts nothing off */
        const uint64_t later_ms = (follower->now_us - applied_us) / 1000;
        assert_int_equal(flushed_index(follower), follower->match_index - 2);
        const uint64_t waited_ms = later_ms + flush_await(follower);
        assert_true(waited_ms >= INTERVAL_MS - 1 && waited_ms <= INTERVAL_MS + 1);
    }
}

static void test_follower_flushes_at_once_when_its_window_is_large(void **state)
{
    struct follower *follower = *state;
    apply_one(follower);
    apply_one(follower);
    assert_int_equal(flushed_index(follower), 0);
    apply_one(follower);
    assert_true(follower->match_index * VALUE_BYTES > FLUSH_BYTES);
    assert_true(flush_await(follower) <= 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_follower_whose_store_stands_still_takes_only_so_much,
                                        begin, end),
        cmocka_unit_test_setup_teardown(
            test_follower_flushes_when_the_oldest_of_its_window_has_waited, begin, end),
        cmocka_unit_test_setup_teardown(test_follower_flushes_at_once_when_its_window_is_large,
                                        begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
