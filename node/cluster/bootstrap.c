#include "node/cluster/bootstrap.h"

#include <stdio.h>
#include <stdlib.h>

#include "node/say.h"
#include "proto/peer_messages.h"

enum {
    DIAL_TIMEOUT_MS = 2000,
    STAGE_TIMEOUT_MS = 4000,   /* of a probe that probes others */
    RELAYED_TIMEOUT_MS = 2500, /* of a probe that answers for itself */
    ROUNDS_MAX = 8,
    DETAIL_BYTES_MAX = 400,
};

enum round_kind {
    ROUND_RELAYED, /* asked by a coordinator: do I reach all of these? */
    ROUND_PROBE,   /* coordinator: do all reach all? */
    ROUND_FORM,    /* coordinator: write it down */
};

/* One question to every node of a list, and their answers. */
struct round {
    bool is_used;
    enum round_kind kind;
    uint64_t asker; /* connection that waits for the outcome */
    uint64_t correlation;
    uint64_t due_us;
    struct arena arena;
    struct identity
        identity; /* of the cluster to be; members have their addresses from the start */
    struct target {
        uint64_t connection;
        bool is_answered;
        struct id128 cluster;
    } targets[MEMBERS_MAX];
    size_t answered_count;
    enum pawl_error error;         /* of the first failure */
    char detail[DETAIL_BYTES_MAX]; /* of the first failure; empty: none */
};

struct bootstrap {
    struct bootstrap_options options;
    struct round rounds[ROUNDS_MAX];
    struct arena arena; /* of one event */
    struct buffer frame;
};

struct bootstrap *bootstrap_new(const struct bootstrap_options *options)
{
    struct bootstrap *bootstrap = calloc(1, sizeof *bootstrap);
    if (bootstrap != NULL)
        bootstrap->options = *options;
    return bootstrap;
}

void bootstrap_free(struct bootstrap *bootstrap)
{
    if (bootstrap == NULL)
        return;
    for (size_t i = 0; i < ROUNDS_MAX; i++)
        arena_done(&bootstrap->rounds[i].arena);
    arena_done(&bootstrap->arena);
    buffer_done(&bootstrap->frame);
    free(bootstrap);
}

static void send(struct bootstrap *bootstrap, uint64_t connection, uint8_t type,
                 const struct schema *schema, const void *message)
{
    buffer_reset(&bootstrap->frame);
    codec_encode(schema, message, &bootstrap->frame);
    if (!bootstrap->frame.is_failed)
        (void)wire_send(bootstrap->options.wire, connection, type, buffer_bytes(&bootstrap->frame));
}

static void respond(struct bootstrap *bootstrap, uint64_t connection, uint64_t correlation,
                    enum pawl_error error, struct bytes detail, struct bytes answer)
{
    if (error != PAWL_OK && detail.size == 0)
        detail = bytes_string(pawl_error_text(error));
    const struct msg_response response = {
        .correlation = correlation, .error = (uint32_t)error, .detail = detail, .answer = answer};
    send(bootstrap, connection, FRAME_RESPONSE, &schema_response, &response);
}

/* ---- a round ---- */

static struct round *round_open(struct bootstrap *bootstrap, enum round_kind kind, uint64_t asker)
{
    for (size_t i = 0; i < ROUNDS_MAX; i++) {
        struct round *round = &bootstrap->rounds[i];
        if (round->is_used)
            continue;
        arena_done(&round->arena);
        *round = (struct round){.is_used = true, .kind = kind, .asker = asker};
        return round;
    }
    return NULL;
}

static void round_close(struct bootstrap *bootstrap, struct round *round)
{
    for (size_t i = 0; i < round->identity.member_count; i++)
        if (round->targets[i].connection != 0)
            wire_close(bootstrap->options.wire, round->targets[i].connection);
    round->is_used = false;
}

static void round_dial(struct bootstrap *bootstrap, struct round *round, uint64_t now_us)
{
    const uint32_t timeout_ms =
        round->kind == ROUND_RELAYED ? RELAYED_TIMEOUT_MS : STAGE_TIMEOUT_MS;
    round->due_us = now_us + (uint64_t)timeout_ms * 1000;
    round->answered_count = 0;
    for (size_t i = 0; i < round->identity.member_count; i++)
        round->targets[i] =
            (struct target){.cluster = round->targets[i].cluster,
                            .connection = wire_dial(bootstrap->options.wire,
                                                    round->identity.members[i].peer_address,
                                                    bootstrap->options.tag, DIAL_TIMEOUT_MS)};
}

static void ask(struct bootstrap *bootstrap, const struct round *round, size_t i)
{
    if (round->kind == ROUND_FORM) {
        struct msg_member members[MEMBERS_MAX];
        memcpy(members, round->identity.members, sizeof members);
        const struct msg_form form = {
            .cluster = round->identity.cluster,
            .node = round->identity.members[i].node,
            .members = {.elements = members, .count = round->identity.member_count}};
        send(bootstrap, round->targets[i].connection, FRAME_PEER_FORM, &schema_form, &form);
        return;
    }
    struct bytes addresses[MEMBERS_MAX];
    for (size_t k = 0; k < round->identity.member_count; k++)
        addresses[k] = round->identity.members[k].peer_address;
    const struct msg_probe probe = {
        .peers = {.elements = addresses, .count = round->identity.member_count},
        .is_relayed = round->kind == ROUND_RELAYED};
    send(bootstrap, round->targets[i].connection, FRAME_PEER_PROBE, &schema_probe, &probe);
}

static void note_error(struct round *round, size_t i, enum pawl_error error, struct bytes why)
{
    const struct bytes address = round->identity.members[i].peer_address;
    if (round->detail[0] != '\0')
        return;
    round->error = error;
    snprintf(round->detail, sizeof round->detail, "%.*s: %.*s", (int)address.size,
             (const char *)address.data, (int)why.size, (const char *)why.data);
}

static void note_failure(struct round *round, size_t i, struct bytes why)
{
    note_error(round, i, PAWL_E_NETWORK, why);
}

/* ---- the stages ---- */

static void send_probed(struct bootstrap *bootstrap, uint64_t connection, enum pawl_error error,
                        struct bytes detail)
{
    const struct msg_probed probed = {.error = (uint32_t)error,
                                      .detail = detail,
                                      .name = bootstrap->options.name,
                                      .client_address = bootstrap->options.client_address,
                                      .cluster = bootstrap->options.identity->cluster};
    send(bootstrap, connection, FRAME_PEER_PROBED, &schema_probed, &probed);
}

static void finish_relayed(struct bootstrap *bootstrap, struct round *round)
{
    char detail[DETAIL_BYTES_MAX + 64] = "";
    if (round->detail[0] != '\0')
        snprintf(detail, sizeof detail, "it cannot reach %s", round->detail);
    send_probed(bootstrap, round->asker, round->detail[0] != '\0' ? PAWL_E_NETWORK : PAWL_OK,
                bytes_string(detail));
    round_close(bootstrap, round);
}

static void fail_init(struct bootstrap *bootstrap, struct round *round, enum pawl_error error,
                      const char *what)
{
    char text[DETAIL_BYTES_MAX + 128];
    snprintf(text, sizeof text, "%s%s%s", what, round->detail[0] != '\0' ? ": " : "",
             round->detail);
    respond(bootstrap, round->asker, round->correlation, error, bytes_string(text),
            (struct bytes){NULL, 0});
    round_close(bootstrap, round);
}

/* The cluster that some of the nodes already belong to, from an init that was cut short; else a new
 * one. False: they belong to different ones. */
static bool choose_cluster(struct bootstrap *bootstrap, struct round *round)
{
    struct id128 cluster = {0};
    for (size_t i = 0; i < round->identity.member_count; i++) {
        const struct id128 known = round->targets[i].cluster;
        if (!id128_is_none(known) && !id128_is_none(cluster) && !id128_equal(known, cluster))
            return false;
        if (!id128_is_none(known))
            cluster = known;
    }
    if (id128_is_none(cluster))
        bootstrap->options.entropy.fill(bootstrap->options.entropy.self, &cluster, sizeof cluster);
    round->identity.cluster = cluster;
    return true;
}

static void finish_probe(struct bootstrap *bootstrap, struct round *round, uint64_t now_us)
{
    if (round->detail[0] != '\0') {
        fail_init(bootstrap, round, round->error,
                  round->error == PAWL_E_WRONG_CLUSTER
                      ? "these nodes cannot make a cluster; nothing was written"
                      : "not every node reaches every other one; nothing was written");
        return;
    }
    if (!choose_cluster(bootstrap, round)) {
        fail_init(bootstrap, round, PAWL_E_WRONG_CLUSTER,
                  "the nodes belong to different clusters already; nothing was written");
        return;
    }
    for (size_t i = 0; i < round->identity.member_count; i++)
        wire_close(bootstrap->options.wire, round->targets[i].connection);
    round->kind = ROUND_FORM;
    round_dial(bootstrap, round, now_us);
}

static void finish_form(struct bootstrap *bootstrap, struct round *round)
{
    if (round->detail[0] != '\0') {
        fail_init(bootstrap, round, PAWL_E_NETWORK,
                  "some nodes have not written down their cluster; run the same command again");
        return;
    }
    struct buffer answer = {0};
    char cluster[37];
    id128_format(round->identity.cluster, cluster);
    pack_map(&answer, 2);
    pack_text(&answer, "cluster");
    pack_text(&answer, cluster);
    pack_text(&answer, "members");
    pack_array(&answer, (uint32_t)round->identity.member_count);
    for (size_t i = 0; i < round->identity.member_count; i++) {
        const struct msg_member *member = &round->identity.members[i];
        pack_map(&answer, 4);
        pack_text(&answer, "node");
        pack_unsigned(&answer, member->node);
        pack_text(&answer, "name");
        pack_string(&answer, member->name);
        pack_text(&answer, "peerAddress");
        pack_string(&answer, member->peer_address);
        pack_text(&answer, "clientAddress");
        pack_string(&answer, member->client_address);
    }
    respond(bootstrap, round->asker, round->correlation, PAWL_OK, (struct bytes){NULL, 0},
            buffer_bytes(&answer));
    buffer_done(&answer);
    round_close(bootstrap, round);
}

static void finish_round(struct bootstrap *bootstrap, struct round *round, uint64_t now_us)
{
    switch (round->kind) {
    case ROUND_RELAYED:
        finish_relayed(bootstrap, round);
        return;
    case ROUND_PROBE:
        finish_probe(bootstrap, round, now_us);
        return;
    case ROUND_FORM:
        finish_form(bootstrap, round);
        return;
    }
}

static void answered(struct bootstrap *bootstrap, struct round *round, size_t i, uint64_t now_us)
{
    round->targets[i].is_answered = true;
    if (++round->answered_count == round->identity.member_count)
        finish_round(bootstrap, round, now_us);
}

void bootstrap_tick(struct bootstrap *bootstrap, uint64_t now_us)
{
    for (size_t r = 0; r < ROUNDS_MAX; r++) {
        struct round *round = &bootstrap->rounds[r];
        if (!round->is_used || round->due_us > now_us)
            continue;
        for (size_t i = 0; i < round->identity.member_count; i++)
            if (!round->targets[i].is_answered)
                note_failure(round, i, BYTES_LITERAL("no answer in time"));
        finish_round(bootstrap, round, now_us);
    }
}

uint64_t bootstrap_deadline_us(const struct bootstrap *bootstrap)
{
    uint64_t deadline_us = UINT64_MAX;
    for (size_t r = 0; r < ROUNDS_MAX; r++)
        if (bootstrap->rounds[r].is_used && bootstrap->rounds[r].due_us < deadline_us)
            deadline_us = bootstrap->rounds[r].due_us;
    return deadline_us;
}

/* ---- peers ---- */

static bool copy_members(struct round *round, const struct bytes *addresses, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct msg_member *member = &round->identity.members[i];
        *member = (struct msg_member){.node = i + 1,
                                      .peer_address = arena_copy(&round->arena, addresses[i])};
        if (member->peer_address.size == 0)
            return false;
    }
    round->identity.member_count = count;
    return true;
}

/* This node has no cluster, or one of exactly these peers, which are sorted. */
static bool can_join(const struct identity *identity, const struct msg_probe *probe)
{
    const struct bytes *addresses = probe->peers.elements;
    if (id128_is_none(identity->cluster))
        return true;
    if (identity->member_count != probe->peers.count)
        return false;
    for (size_t i = 0; i < identity->member_count; i++)
        if (!bytes_equal(identity->members[i].peer_address, addresses[i]))
            return false;
    return true;
}

static void take_probe(struct bootstrap *bootstrap, const struct wire_event *event, uint64_t now_us)
{
    struct msg_probe probe;
    if (codec_decode(&schema_probe, event->body, &bootstrap->arena, &probe, NULL) != PAWL_OK)
        return;
    if (probe.is_relayed) {
        send_probed(bootstrap, event->connection, PAWL_OK, BYTES_LITERAL(""));
        return;
    }
    if (!can_join(bootstrap->options.identity, &probe)) {
        send_probed(bootstrap, event->connection, PAWL_E_WRONG_CLUSTER,
                    BYTES_LITERAL("it belongs to a cluster already, with other members"));
        return;
    }
    struct round *round = round_open(bootstrap, ROUND_RELAYED, event->connection);
    if (round != NULL && copy_members(round, probe.peers.elements, probe.peers.count))
        round_dial(bootstrap, round, now_us);
    else if (round != NULL)
        round->is_used = false;
}

static enum pawl_error form(struct bootstrap *bootstrap, const struct msg_form *message,
                            struct pawl_diag *diag)
{
    struct identity identity = {
        .cluster = message->cluster, .node = message->node, .member_count = message->members.count};
    memcpy(identity.members, message->members.elements,
           message->members.count * sizeof identity.members[0]);
    const struct identity *known = bootstrap->options.identity;
    if (!identity_is_sound(&identity))
        return diag_fail(diag, PAWL_E_INVALID, "no node can run with these members");
    if (identity_equal(known, &identity))
        return PAWL_OK;
    if (!id128_is_none(known->cluster))
        return diag_fail(diag, PAWL_E_WRONG_CLUSTER,
                         "it belongs to a cluster already, with other members or another id");
    TRY(identity_write(bootstrap->options.dir, &identity, diag));
    bootstrap->options.formed(bootstrap->options.user, &identity);
    return PAWL_OK;
}

static void take_form(struct bootstrap *bootstrap, const struct wire_event *event)
{
    struct msg_form message;
    struct pawl_diag diag = {0};
    if (codec_decode(&schema_form, event->body, &bootstrap->arena, &message, NULL) != PAWL_OK ||
        message.members.count == 0)
        return;
    enum pawl_error error = form(bootstrap, &message, &diag);
    const struct msg_formed formed = {.error = (uint32_t)error, .detail = bytes_string(diag.text)};
    send(bootstrap, event->connection, FRAME_PEER_FORMED, &schema_formed, &formed);
}

static void take_probed(struct bootstrap *bootstrap, struct round *round, size_t i,
                        struct bytes body)
{
    struct msg_probed probed;
    if (codec_decode(&schema_probed, body, &bootstrap->arena, &probed, NULL) != PAWL_OK) {
        note_failure(round, i, BYTES_LITERAL("its answer cannot be read"));
        return;
    }
    if (probed.error != 0)
        note_error(round, i,
                   probed.error == PAWL_E_WRONG_CLUSTER ? PAWL_E_WRONG_CLUSTER : PAWL_E_NETWORK,
                   probed.detail);
    round->targets[i].cluster = probed.cluster;
    round->identity.members[i].name = arena_copy(&round->arena, probed.name);
    round->identity.members[i].client_address = arena_copy(&round->arena, probed.client_address);
}

static void take_formed(struct bootstrap *bootstrap, struct round *round, size_t i,
                        struct bytes body)
{
    struct msg_formed formed;
    if (codec_decode(&schema_formed, body, &bootstrap->arena, &formed, NULL) != PAWL_OK)
        note_failure(round, i, BYTES_LITERAL("its answer cannot be read"));
    else if (formed.error != 0)
        note_failure(round, i, formed.detail);
}

static void target_event(struct bootstrap *bootstrap, struct round *round, size_t i,
                         const struct wire_event *event, uint64_t now_us)
{
    if (event->kind == WIRE_DIALLED) {
        ask(bootstrap, round, i);
        return;
    }
    if (round->targets[i].is_answered)
        return;
    if (event->kind == WIRE_CLOSED) {
        round->targets[i].connection = 0;
        note_failure(round, i, event->reason);
    } else if (event->type == FRAME_PEER_PROBED && round->kind != ROUND_FORM) {
        take_probed(bootstrap, round, i, event->body);
    } else if (event->type == FRAME_PEER_FORMED && round->kind == ROUND_FORM) {
        take_formed(bootstrap, round, i, event->body);
    } else {
        return;
    }
    answered(bootstrap, round, i, now_us);
}

void bootstrap_peer_event(struct bootstrap *bootstrap, const struct wire_event *event,
                          uint64_t now_us)
{
    arena_reset(&bootstrap->arena);
    for (size_t r = 0; r < ROUNDS_MAX; r++) {
        struct round *round = &bootstrap->rounds[r];
        for (size_t i = 0; round->is_used && i < round->identity.member_count; i++)
            if (round->targets[i].connection == event->connection) {
                target_event(bootstrap, round, i, event, now_us);
                return;
            }
    }
    if (event->kind != WIRE_FRAME)
        return;
    if (event->type == FRAME_PEER_PROBE)
        take_probe(bootstrap, event, now_us);
    else if (event->type == FRAME_PEER_FORM)
        take_form(bootstrap, event);
}

/* ---- clients ---- */

static int compare_addresses(const void *a, const void *b)
{
    return bytes_compare(*(const struct bytes *)a, *(const struct bytes *)b);
}

static enum pawl_error check_peers(struct bytes *addresses, size_t count, const char **why_out)
{
    *why_out =
        "name an odd number of nodes, at most 9, each once, as host:port of their peer ports";
    if (count == 0 || count % 2 == 0)
        return PAWL_E_INVALID;
    qsort(addresses, count, sizeof addresses[0], compare_addresses);
    for (size_t i = 1; i < count; i++)
        if (bytes_equal(addresses[i - 1], addresses[i]))
            return PAWL_E_INVALID;
    return PAWL_OK;
}

void bootstrap_init(struct bootstrap *bootstrap, uint64_t connection,
                    const struct msg_request *request, uint64_t now_us)
{
    const struct bytes none = {NULL, 0};
    struct msg_init init;
    const char *why = NULL;
    enum pawl_error error =
        codec_decode(&schema_init, request->body, &bootstrap->arena, &init, NULL);
    if (error == PAWL_OK)
        error = check_peers(init.peers.elements, init.peers.count, &why);
    struct round *round = error == PAWL_OK ? round_open(bootstrap, ROUND_PROBE, connection) : NULL;
    if (round == NULL) {
        respond(bootstrap, connection, request->correlation, error != PAWL_OK ? error : PAWL_E_BUSY,
                bytes_string(why), none);
        return;
    }
    round->correlation = request->correlation;
    if (copy_members(round, init.peers.elements, init.peers.count)) {
        round_dial(bootstrap, round, now_us);
        return;
    }
    fail_init(bootstrap, round, PAWL_E_INVALID, "an address is empty");
}

static void answer_status(struct bootstrap *bootstrap, uint64_t connection, uint64_t correlation)
{
    struct buffer answer = {0};
    pack_map(&answer, 3);
    pack_text(&answer, "name");
    pack_string(&answer, bootstrap->options.name);
    pack_text(&answer, "role");
    pack_text(&answer, "waiting");
    pack_text(&answer, "waitingFor");
    pack_text(&answer, "a cluster: run pawl cluster init with the peer addresses of all nodes");
    respond(bootstrap, connection, correlation, PAWL_OK, (struct bytes){NULL, 0},
            buffer_bytes(&answer));
    buffer_done(&answer);
}

void bootstrap_client_event(struct bootstrap *bootstrap, const struct wire_event *event,
                            uint64_t now_us)
{
    const struct bytes none = {NULL, 0};
    struct msg_request request;
    if (event->kind != WIRE_FRAME)
        return;
    arena_reset(&bootstrap->arena);
    if (event->type == FRAME_HELLO) {
        const struct msg_welcome welcome = {.version = PROTOCOL_VERSION,
                                            .name = bootstrap->options.name,
                                            .heartbeat_ms = SESSION_HEARTBEAT_MS,
                                            .backoff_ms_max = RECONNECT_BACKOFF_MS_MAX};
        send(bootstrap, event->connection, FRAME_WELCOME, &schema_welcome, &welcome);
        return;
    }
    if (event->type != FRAME_REQUEST ||
        codec_decode(&schema_request, event->body, &bootstrap->arena, &request, NULL) != PAWL_OK) {
        wire_close(bootstrap->options.wire, event->connection);
        return;
    }
    if (request.kind == REQUEST_INIT)
        bootstrap_init(bootstrap, event->connection, &request, now_us);
    else if (request.kind == REQUEST_STATUS)
        answer_status(bootstrap, event->connection, request.correlation);
    else
        respond(bootstrap, event->connection, request.correlation, PAWL_E_NOT_BOOTSTRAPPED, none,
                none);
}
