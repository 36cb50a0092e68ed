#include "node/daemon.h"

#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <poll.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "node/arrivals.h"
#include "node/cluster/bootstrap.h"
#include "node/cluster/peers.h"
#include "node/descriptors.h"
#include "node/disk_posix.h"
#include "node/gather.h"
#include "node/replica.h"
#include "node/runner.h"
#include "node/say.h"
#include "node/store/rows_lmdb.h"

enum {
    TAG_PEER_LISTENER = 1,
    TAG_CLIENT_LISTENER,
    TAG_PEER_DIAL,
    TAG_BOOTSTRAP_DIAL,
    SEGMENT_BYTES = 16 << 20,
    SPARE_SEGMENTS = 2,
    EXIT_FAILED = 70,
    QUIET_US = 3 * 1000 * 1000,
    TURN_INPUTS_MAX = 512,
};

/* What exists once this node has a cluster. */
struct running {
    struct disk_posix *log_disk;
    struct wal *wal;
    struct rows_lmdb *store;
    struct runner *runner;
    struct peers *peers;
    struct replica *replica;
};

struct daemon {
    struct daemon_options options;
    struct data_dir dir;
    struct arena arena; /* of the identity */
    struct identity identity;
    struct wire *wire;
    struct bootstrap *bootstrap;
    struct running run;
    bool is_to_start; /* the identity was just written */
    enum raft_role role_said;
    uint64_t leader_said;
    bool is_clock_off_said;
    uint64_t busy_us; /* when the log last grew */
    bool has_rested;
    size_t client_count; /* connections of clients, up or on their way out */
    size_t client_count_max;
    struct arrivals arrivals;
    struct gather gather;
    uint64_t next_turn_us; /* not before */
    struct buffer_of_inputs {
        struct replica_input *input;
        size_t count, capacity;
    } inputs;
};

/* ---- ports ---- */

static uint64_t clock_us(clockid_t id)
{
    struct timespec now;
    clock_gettime(id, &now);
    return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

static uint64_t monotonic_us(void *self)
{
    (void)self;
    return clock_us(CLOCK_MONOTONIC);
}

static uint64_t wall_us(void *self)
{
    (void)self;
    return clock_us(CLOCK_REALTIME);
}

static void entropy_fill(void *self, void *out, size_t size)
{
    (void)self;
    randombytes_buf(out, size);
}

static void peer_send(void *self, uint64_t node, uint8_t type, const struct bytes *parts,
                      size_t part_count)
{
    const struct daemon *daemon = self;
    peers_send(daemon->run.peers, node, type, parts, part_count);
}

static bool client_send(void *self, uint64_t connection, uint8_t type, struct bytes body)
{
    const struct daemon *daemon = self;
    return wire_send(daemon->wire, connection, type, body);
}

static void client_close(void *self, uint64_t connection)
{
    const struct daemon *daemon = self;
    wire_close(daemon->wire, connection);
}

static void init_take(void *self, uint64_t connection, const struct msg_request *request)
{
    const struct daemon *daemon = self;
    bootstrap_init(daemon->bootstrap, connection, request, monotonic_us(NULL));
}

static const struct clock_port clock_port = {.monotonic_us = monotonic_us, .wall_us = wall_us};
static const struct entropy_port entropy_port = {.fill = entropy_fill};

/* ---- beginning to run ---- */

static enum pawl_error open_log(struct daemon *daemon, struct arena *arena,
                                struct wal_recovery *recovery, struct pawl_diag *diag)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/log", daemon->options.data_path);
    if (mkdir(path, 0700) != 0 && errno != EEXIST)
        return diag_fail(diag, PAWL_E_IO, "cannot make %s: %s", path, strerror(errno));
    TRY(disk_posix_open(path, &daemon->run.log_disk, diag));
    struct wal_options options = {.disk = disk_posix_port(daemon->run.log_disk),
                                  .cluster = daemon->identity.cluster,
                                  .node = daemon->identity.node,
                                  .segment_bytes = SEGMENT_BYTES,
                                  .spare_segments = SPARE_SEGMENTS};
    entropy_fill(NULL, &options.salt, sizeof options.salt);
    const bool is_gone = data_dir_has_begun(&daemon->dir) && !data_dir_has_log(&daemon->dir);
    TRY(wal_open(&options, arena, recovery, &daemon->run.wal, diag));
    if (is_gone) {
        recovery->health = WAL_DAMAGED;
        snprintf(recovery->diag.text, sizeof recovery->diag.text, "there was no log at all");
    }
    return PAWL_OK;
}

static void say_damage(const struct wal_recovery *recovery, const struct replica_restored *restored)
{
    if (!restored->is_vote_withheld)
        return;
    const char *found = "damage that an earlier start has seen";
    if (recovery->health != WAL_HEALTHY)
        found = recovery->diag.text;
    else if (restored->has_lost_entries)
        found = "the store has entries that the log has lost";
    say(SAY_WARNING, "the log is damaged; this node is filled by its peers before it votes",
        "found=\"%s\"", found);
}

static enum pawl_error open_store(struct daemon *daemon, struct pawl_diag *diag)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/store", daemon->options.data_path);
    if (mkdir(path, 0700) != 0 && errno != EEXIST)
        return diag_fail(diag, PAWL_E_IO, "cannot make %s: %s", path, strerror(errno));
    struct rows_lmdb_options options = {.path = path, .partition_count = 1};
    crypto_generichash(options.sum_key.byte, sizeof options.sum_key.byte,
                       daemon->identity.cluster.byte, 16, NULL, 0);
    return rows_lmdb_open(&options, &daemon->run.store, diag);
}

static enum pawl_error open_replica(struct daemon *daemon, const struct replica_restored *restored)
{
    struct replica_options options = {.cluster = daemon->identity.cluster,
                                      .node = daemon->identity.node,
                                      .name = bytes_string(daemon->options.name),
                                      .member_count = daemon->identity.member_count,
                                      .clock = clock_port,
                                      .entropy = entropy_port,
                                      .links = {.self = daemon,
                                                .peer_send = peer_send,
                                                .client_send = client_send,
                                                .client_close = client_close},
                                      .jobs = runner_port(daemon->run.runner),
                                      .init = {.self = daemon, .take = init_take}};
    memcpy(options.members, daemon->identity.members, sizeof options.members);
    return replica_new(&options, restored, &daemon->run.replica);
}

static enum pawl_error open_parts(struct daemon *daemon, struct arena *arena,
                                  struct pawl_diag *diag)
{
    struct running *run = &daemon->run;
    struct wal_recovery recovery;
    struct replica_restored restored;
    TRY(open_log(daemon, arena, &recovery, diag));
    TRY(open_store(daemon, diag));
    const struct rows_port rows = rows_lmdb_port(run->store);
    TRY(replica_restore(run->wal, &recovery, &rows, arena, &restored, diag));
    say_damage(&recovery, &restored);
    TRY(data_dir_begin(&daemon->dir, diag));
    const struct runner_options options = {
        .wal = run->wal, .rows = rows, .disk = disk_posix_port(run->log_disk)};
    TRY(runner_new(&options, &run->runner));
    run->peers = peers_new(daemon->wire, &daemon->identity, TAG_PEER_DIAL);
    if (run->peers == NULL)
        return PAWL_E_NO_MEMORY;
    return open_replica(daemon, &restored);
}

static enum pawl_error begin_to_run(struct daemon *daemon, struct pawl_diag *diag)
{
    struct arena arena = {.limit = (size_t)8 << 30};
    const uint64_t begin_us = monotonic_us(NULL);
    char cluster[37];
    enum pawl_error error = open_parts(daemon, &arena, diag);
    arena_done(&arena);
    if (error != PAWL_OK)
        return error;
    id128_format(daemon->identity.cluster, cluster);
    const struct replica_status status = replica_status(daemon->run.replica);
    say(SAY_INFO, "running", "cluster=%s node=%llu term=%llu last_index=%llu took_ms=%llu", cluster,
        (unsigned long long)daemon->identity.node, (unsigned long long)status.term,
        (unsigned long long)status.last_index,
        (unsigned long long)(monotonic_us(NULL) - begin_us) / 1000);
    return PAWL_OK;
}

/* ---- events ---- */

static void add_input(struct daemon *daemon, struct replica_input input)
{
    struct buffer_of_inputs *inputs = &daemon->inputs;
    if (inputs->count == inputs->capacity) {
        size_t capacity = inputs->capacity == 0 ? 256 : inputs->capacity * 2;
        struct replica_input *grown = realloc(inputs->input, capacity * sizeof *grown);
        if (grown == NULL) {
            say(SAY_ERROR, "out of memory", "what=inputs");
            _exit(EXIT_FAILED);
        }
        inputs->input = grown;
        inputs->capacity = capacity;
    }
    inputs->input[inputs->count++] = input;
}

/* The wire is shared with the peers, so clients must not take all of it. */
static void count_client(struct daemon *daemon, const struct wire_event *event, uint64_t now_us)
{
    if (event->kind == WIRE_ACCEPTED) {
        daemon->client_count++;
        if (daemon->client_count > daemon->client_count_max ||
            !arrivals_add(&daemon->arrivals, event->connection, now_us))
            wire_close(daemon->wire, event->connection);
        return;
    }
    arrivals_remove(&daemon->arrivals, event->connection);
    if (event->kind == WIRE_CLOSED)
        daemon->client_count--;
}

static void close_silent_clients(struct daemon *daemon, uint64_t now_us)
{
    uint64_t connection;
    while ((connection = arrivals_take_late(&daemon->arrivals, now_us)) != 0)
        wire_close(daemon->wire, connection);
}

static void client_event(struct daemon *daemon, const struct wire_event *event, uint64_t now_us)
{
    count_client(daemon, event, now_us);
    if (daemon->run.replica == NULL) {
        bootstrap_client_event(daemon->bootstrap, event, now_us);
        return;
    }
    if (event->kind == WIRE_FRAME)
        add_input(daemon, (struct replica_input){.kind = REPLICA_CLIENT_FRAME,
                                                 .source = event->connection,
                                                 .type = event->type,
                                                 .body = event->body});
    else if (event->kind == WIRE_CLOSED)
        add_input(daemon, (struct replica_input){.kind = REPLICA_CLIENT_CLOSED,
                                                 .source = event->connection});
}

static bool is_for_bootstrap(const struct wire_event *event)
{
    return event->tag == TAG_BOOTSTRAP_DIAL ||
           (event->kind == WIRE_FRAME &&
            (event->type == FRAME_PEER_PROBE || event->type == FRAME_PEER_FORM));
}

static void peer_event(struct daemon *daemon, const struct wire_event *event, uint64_t now_us)
{
    uint64_t node;
    if (is_for_bootstrap(event)) {
        bootstrap_peer_event(daemon->bootstrap, event, now_us);
        return;
    }
    if (daemon->run.peers == NULL) {
        if (event->kind == WIRE_FRAME) /* a member of a cluster that this node does not know yet */
            wire_close(daemon->wire, event->connection);
        return;
    }
    switch (peers_event(daemon->run.peers, event, now_us, &node)) {
    case PEERS_NOTHING:
        return;
    case PEERS_FRAME:
        add_input(daemon, (struct replica_input){.kind = REPLICA_PEER_FRAME,
                                                 .source = node,
                                                 .type = event->type,
                                                 .body = event->body});
        return;
    case PEERS_LOST:
        add_input(daemon, (struct replica_input){.kind = REPLICA_PEER_LOST, .source = node});
        return;
    }
}

static void take_jobs(struct daemon *daemon)
{
    if (daemon->run.runner == NULL)
        return;
    for (struct job *job = runner_take(daemon->run.runner); job != NULL;) {
        struct job *next = job->next;
        add_input(daemon, (struct replica_input){.kind = REPLICA_JOB_DONE, .job = job});
        job = next;
    }
}

/* Events of one connection stand together. */
static uint64_t client_count(const struct wire_event *events, size_t count)
{
    uint64_t clients = 0, last = 0;
    for (size_t i = 0; i < count; i++)
        if (events[i].kind == WIRE_FRAME && events[i].tag == TAG_CLIENT_LISTENER) {
            clients += events[i].connection != last;
            last = events[i].connection;
        }
    return clients;
}

/* Peers and disks first: however many clients there are, the cluster's business does not wait. */
static void take_events(struct daemon *daemon, uint64_t now_us)
{
    const struct wire_event *events;
    const size_t count = wire_take(daemon->wire, &events);
    daemon->next_turn_us = gather_turn(&daemon->gather, now_us, client_count(events, count));
    daemon->inputs.count = 0;
    for (size_t i = 0; i < count; i++)
        if (events[i].tag != TAG_CLIENT_LISTENER)
            peer_event(daemon, &events[i], now_us);
    take_jobs(daemon);
    for (size_t i = 0; i < count; i++)
        if (events[i].tag == TAG_CLIENT_LISTENER)
            client_event(daemon, &events[i], now_us);
}

/* A pile of inputs is taken in several turns, so that heartbeats and answers leave in between. */
static void take_turns(struct daemon *daemon)
{
    const struct buffer_of_inputs *inputs = &daemon->inputs;
    size_t begin = 0;
    do {
        const size_t rest = inputs->count - begin;
        const size_t count = rest < TURN_INPUTS_MAX ? rest : TURN_INPUTS_MAX;
        if (begin > 0)
            wire_flush(daemon->wire);
        replica_turn(daemon->run.replica, count > 0 ? &inputs->input[begin] : NULL, count);
        begin += count;
    } while (begin < inputs->count);
}

static void say_clock(struct daemon *daemon, const struct replica_status *status)
{
    if (status->is_clock_off == daemon->is_clock_off_said)
        return;
    daemon->is_clock_off_said = status->is_clock_off;
    if (status->is_clock_off)
        say(SAY_WARNING, "the clock of this node is far from the cluster's; set it right",
            "ahead_ms=%lld", (long long)(status->clock_off_us / 1000));
    else
        say(SAY_INFO, "the clock of this node agrees with the cluster's again", "ahead_ms=%lld",
            (long long)(status->clock_off_us / 1000));
}

static void say_changes(struct daemon *daemon)
{
    const struct replica_status status = replica_status(daemon->run.replica);
    if (status.is_failed) {
        say(SAY_ERROR,
            "a committed entry cannot be read; this node stops rather than differ from the others",
            "index=%llu", (unsigned long long)status.commit_index);
        _exit(EXIT_FAILED);
    }
    say_clock(daemon, &status);
    if (status.leader == daemon->leader_said && status.role == daemon->role_said)
        return;
    daemon->leader_said = status.leader;
    daemon->role_said = status.role;
    say(SAY_INFO, "role", "role=%s term=%llu leader=%llu", replica_role_name(status.role),
        (unsigned long long)status.term, (unsigned long long)status.leader);
}

/* Memory that a burst of work took goes back to the system when it has been quiet for a while. */
static void rest(struct daemon *daemon, uint64_t now_us, bool was_busy)
{
    if (was_busy) {
        daemon->busy_us = now_us;
        daemon->has_rested = false;
    } else if (!daemon->has_rested && now_us - daemon->busy_us > QUIET_US) {
        daemon->has_rested = true;
        (void)malloc_trim(0);
    }
}

static uint64_t turn(struct daemon *daemon)
{
    const uint64_t now_us = monotonic_us(NULL);
    uint64_t deadline_us;
    take_events(daemon, now_us);
    bootstrap_tick(daemon->bootstrap, now_us);
    close_silent_clients(daemon, now_us);
    deadline_us = bootstrap_deadline_us(daemon->bootstrap);
    if (arrivals_deadline_us(&daemon->arrivals) < deadline_us)
        deadline_us = arrivals_deadline_us(&daemon->arrivals);
    if (daemon->run.replica != NULL) {
        const uint64_t last_index = replica_status(daemon->run.replica).last_index;
        take_turns(daemon);
        peers_tick(daemon->run.peers, now_us);
        say_changes(daemon);
        rest(daemon, now_us, last_index != replica_status(daemon->run.replica).last_index);
        const uint64_t due_us[] = {replica_deadline_us(daemon->run.replica),
                                   peers_deadline_us(daemon->run.peers)};
        for (size_t i = 0; i < 2; i++)
            if (due_us[i] < deadline_us)
                deadline_us = due_us[i];
    }
    wire_flush(daemon->wire);
    return deadline_us;
}

/* Few heaps, for what the loop hands to other threads it frees itself. The memory of a turn or a
 * flush stays for the next one, because the system clears what it gives; only very large blocks go
 * back at once, the rest when the node rests. */
static void tune_memory(void)
{
    (void)mallopt(M_ARENA_MAX, 2);
    (void)mallopt(M_MMAP_THRESHOLD, 4 << 20);
    (void)mallopt(M_TRIM_THRESHOLD, 32 << 20);
}

/* Interrupted or not, the turn looks at everything. */
static void sleep_for(struct pollfd *fds, nfds_t count, uint64_t wait_us)
{
    const struct timespec timeout = {.tv_sec = (time_t)(wait_us / 1000000),
                                     .tv_nsec = (long)(wait_us % 1000000) * 1000};
    (void)ppoll(fds, count, &timeout, NULL);
}

static uint64_t left_us(uint64_t until_us)
{
    const uint64_t longest_us = (uint64_t)10 * 1000 * 1000, now_us = monotonic_us(NULL);
    const uint64_t wait_us = until_us > now_us ? until_us - now_us : 0;
    return wait_us < longest_us ? wait_us : longest_us;
}

static void sleep_until(const struct daemon *daemon, uint64_t deadline_us, int stop_fd,
                        bool *must_stop_out)
{
    struct pollfd fds[3] = {
        {.fd = stop_fd, .events = POLLIN},
        {.events = POLLIN},
        {.fd = daemon->run.runner != NULL ? runner_fd(daemon->run.runner) : -1, .events = POLLIN}};
    const uint64_t gather_us = left_us(daemon->next_turn_us);
    if (gather_us > 0)
        sleep_for(fds, 1, gather_us);
    fds[1].fd = wire_fd(daemon->wire); /* reads what came meanwhile */
    sleep_for(fds, 3, left_us(deadline_us));
    *must_stop_out = (fds[0].revents & POLLIN) != 0;
}

/* ---- beginning and end ---- */

static void formed(void *user, const struct identity *identity)
{
    struct daemon *daemon = user;
    daemon->identity = *identity;
    for (size_t i = 0; i < identity->member_count; i++) {
        struct msg_member *member = &daemon->identity.members[i];
        member->name = arena_copy(&daemon->arena, member->name);
        member->peer_address = arena_copy(&daemon->arena, member->peer_address);
        member->client_address = arena_copy(&daemon->arena, member->client_address);
    }
    daemon->is_to_start = true;
}

static enum pawl_error open_sockets(struct daemon *daemon, struct pawl_diag *diag)
{
    const struct wire_options options = {.first_tag = TAG_PEER_LISTENER};
    TRY(wire_new(&options, &daemon->wire, diag));
    TRY(wire_listen(daemon->wire, daemon->options.peer_address, TAG_PEER_LISTENER, NULL, diag));
    TRY(wire_listen(daemon->wire, daemon->options.client_address, TAG_CLIENT_LISTENER, NULL, diag));
    const struct bootstrap_options bootstrap = {.wire = daemon->wire,
                                                .dir = &daemon->dir,
                                                .identity = &daemon->identity,
                                                .name = bytes_string(daemon->options.name),
                                                .client_address =
                                                    bytes_string(daemon->options.client_address),
                                                .entropy = entropy_port,
                                                .tag = TAG_BOOTSTRAP_DIAL,
                                                .formed = formed,
                                                .user = daemon};
    daemon->bootstrap = bootstrap_new(&bootstrap);
    return daemon->bootstrap != NULL ? PAWL_OK : PAWL_E_NO_MEMORY;
}

static enum pawl_error open_all(struct daemon *daemon, struct pawl_diag *diag)
{
    enum pawl_error error = identity_read(&daemon->dir, &daemon->arena, &daemon->identity, diag);
    if (error != PAWL_OK && error != PAWL_E_NOT_FOUND)
        return error;
    daemon->is_to_start = error == PAWL_OK;
    if (!daemon->is_to_start && data_dir_has_begun(&daemon->dir))
        return diag_fail(diag, PAWL_E_CORRUPT,
                         "this node has taken part in a cluster, but its identity is gone from %s; "
                         "restore identity.json from a copy, or rebuild this node from its peers",
                         daemon->options.data_path);
    TRY(open_sockets(daemon, diag));
    say(SAY_INFO, "listening", "name=%s peers=%s clients=%s clients_max=%zu", daemon->options.name,
        daemon->options.peer_address, daemon->options.client_address, daemon->client_count_max);
    if (!daemon->is_to_start)
        say(SAY_INFO, "this node has no cluster; it waits for pawl cluster init", "data=%s",
            daemon->options.data_path);
    return PAWL_OK;
}

static enum pawl_error serve(struct daemon *daemon, int stop_fd, struct pawl_diag *diag)
{
    for (bool must_stop = false; !must_stop;) {
        if (daemon->is_to_start) {
            daemon->is_to_start = false;
            TRY(begin_to_run(daemon, diag));
        }
        const uint64_t deadline_us = turn(daemon);
        sleep_until(daemon, daemon->is_to_start ? 0 : deadline_us, stop_fd, &must_stop);
    }
    return PAWL_OK;
}

/* Sockets first, so that nothing more arrives; then the threads, which finish what was submitted.
 */
static void close_all(struct daemon *daemon)
{
    struct running *run = &daemon->run;
    if (daemon->wire != NULL)
        wire_free(daemon->wire);
    daemon->wire = NULL;
    if (run->runner != NULL)
        runner_free(run->runner);
    if (run->wal != NULL)
        wal_close(run->wal);
    if (run->store != NULL)
        rows_lmdb_close(run->store);
    if (run->log_disk != NULL)
        disk_posix_close(run->log_disk);
    peers_free(run->peers);
    bootstrap_free(daemon->bootstrap);
    arena_done(&daemon->arena);
    free(daemon->inputs.input);
    data_dir_close(&daemon->dir);
}

enum pawl_error daemon_run(const struct daemon_options *options, int stop_fd,
                           struct pawl_diag *diag)
{
    const size_t descriptor_count = descriptors_raise();
    struct daemon daemon = {.options = *options,
                            .client_count_max = descriptors_clients_max(descriptor_count)};
    tune_memory();
    if (sodium_init() < 0)
        return diag_fail(diag, PAWL_E_INTERNAL, "the system gives no random numbers");
    TRY(data_dir_open(options->data_path, &daemon.dir, diag));
    enum pawl_error error = open_all(&daemon, diag);
    if (error == PAWL_OK)
        error = serve(&daemon, stop_fd, diag);
    say(SAY_INFO, "stopping", "name=%s", options->name);
    close_all(&daemon);
    return error;
}
