#include "world.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "proto/peer_messages.h"
#include "workflow/find.h"

void world_init(struct world *world)
{
    *world = (struct world){.engine = engine_new(),
                            .dispatch = dispatch_new(),
                            .now_us = (uint64_t)1700000000 * 1000000,
                            .random = 1,
                            .misses_rows = true,
                            .is_checked_inside = true};
    assert(world->engine != NULL && world->dispatch != NULL);
}

static void row_done(struct world_row *row)
{
    free((void *)(uintptr_t)row->key.data);
    free((void *)(uintptr_t)row->value.data);
}

void world_done(struct world *world)
{
    for (size_t i = 0; i < world->row_count; i++)
        row_done(&world->rows[i]);
    free(world->rows);
    free(world->handouts);
    engine_free(world->engine);
    dispatch_free(world->dispatch);
    arena_done(&world->lasting);
    arena_done(&world->arena);
    arena_done(&world->trial);
}

uint64_t world_random(struct world *world)
{
    uint64_t z = world->random += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

struct id128 world_id(uint64_t number)
{
    struct id128 id = {{0}};
    be64_put(id.byte, 0x1d00000000000000u);
    be64_put(id.byte + 8, number);
    return id;
}

/* The first row not before (table, key). */
static size_t row_place(const struct world *world, uint8_t table, struct bytes key)
{
    size_t begin = 0, end = world->row_count;
    while (begin < end) {
        size_t middle = begin + (end - begin) / 2;
        const struct world_row *row = &world->rows[middle];
        bool is_before =
            row->table != table ? row->table < table : bytes_compare(row->key, key) < 0;
        if (is_before)
            begin = middle + 1;
        else
            end = middle;
    }
    return begin;
}

static bool row_is(const struct world *world, size_t place, uint8_t table, struct bytes key)
{
    return place < world->row_count && world->rows[place].table == table &&
           bytes_equal(world->rows[place].key, key);
}

bool world_get(struct world *world, enum row_table table, struct bytes key, struct bytes *value_out)
{
    size_t place = row_place(world, (uint8_t)table, key);
    if (!row_is(world, place, (uint8_t)table, key))
        return false;
    *value_out = world->rows[place].value;
    return true;
}

const struct world_row *world_first(const struct world *world, enum row_table table)
{
    size_t place = row_place(world, (uint8_t)table, bytes_of(NULL, 0));
    bool is_there = place < world->row_count && world->rows[place].table == table;
    return is_there ? &world->rows[place] : NULL;
}

static bool misses(struct world *world)
{
    return world->missed > 0 && world_random(world) % 16 < world->missed;
}

static enum pawl_error view_get(void *self, enum row_table table, struct bytes key,
                                struct bytes *value_out)
{
    struct world *world = self;
    assert(key.size <= ROW_KEY_BYTES_MAX);
    if (misses(world))
        return PAWL_E_NOT_LOADED;
    return world_get(world, table, key, value_out) ? PAWL_OK : PAWL_E_NOT_FOUND;
}

static enum pawl_error view_scan(void *self, enum row_table table, struct bytes begin,
                                 struct bytes end, size_t row_max, struct row *rows_out,
                                 size_t *count_out)
{
    struct world *world = self;
    if (misses(world))
        return PAWL_E_NOT_LOADED;
    size_t count = 0;
    for (size_t i = row_place(world, (uint8_t)table, begin);
         i < world->row_count && count < row_max; i++) {
        const struct world_row *row = &world->rows[i];
        if (row->table != table || (end.size > 0 && bytes_compare(row->key, end) >= 0))
            break;
        rows_out[count++] = (struct row){.key = row->key, .value = row->value};
    }
    *count_out = count;
    return PAWL_OK;
}

static enum pawl_error view_scan_back(void *self, enum row_table table, struct bytes begin,
                                      struct bytes end, size_t row_max, struct row *rows_out,
                                      size_t *count_out)
{
    struct world *world = self;
    size_t count = 0;
    size_t place = end.size > 0 ? row_place(world, (uint8_t)table, end)
                                : row_place(world, (uint8_t)(table + 1), bytes_of(NULL, 0));
    while (place-- > 0 && count < row_max) {
        const struct world_row *row = &world->rows[place];
        if (row->table != table || bytes_compare(row->key, begin) < 0)
            break;
        rows_out[count++] = (struct row){.key = row->key, .value = row->value};
    }
    *count_out = count;
    return PAWL_OK;
}

struct view world_view(struct world *world)
{
    return (struct view){
        .self = world, .get = view_get, .scan = view_scan, .scan_back = view_scan_back};
}

static struct bytes bytes_own(struct bytes bytes)
{
    uint8_t *copy = malloc(bytes.size + 1);
    assert(copy != NULL);
    if (bytes.size > 0)
        memcpy(copy, bytes.data, bytes.size);
    return bytes_of(copy, bytes.size);
}

static void row_write(struct world *world, const struct row_write *write)
{
    size_t place = row_place(world, write->table, write->key);
    bool is_there = row_is(world, place, write->table, write->key);
    if (is_there)
        row_done(&world->rows[place]);
    if (write->is_deleted) {
        if (is_there)
            memmove(&world->rows[place], &world->rows[place + 1],
                    (--world->row_count - place) * sizeof *world->rows);
        return;
    }
    if (!is_there) {
        if (world->row_count == world->row_capacity) {
            world->row_capacity = world->row_capacity * 2 + 64;
            world->rows = realloc(world->rows, world->row_capacity * sizeof *world->rows);
            assert(world->rows != NULL);
        }
        memmove(&world->rows[place + 1], &world->rows[place],
                (world->row_count++ - place) * sizeof *world->rows);
    }
    world->rows[place] = (struct world_row){
        .table = write->table, .key = bytes_own(write->key), .value = bytes_own(write->value)};
}

static struct bytes text_keep(struct world *world, struct bytes text)
{
    return arena_copy(&world->lasting, text);
}

static void handout_keep(struct world *world, const struct decision_handout *from)
{
    if (world->handout_count == world->handout_capacity) {
        world->handout_capacity = world->handout_capacity * 2 + 16;
        world->handouts =
            realloc(world->handouts, world->handout_capacity * sizeof *world->handouts);
        assert(world->handouts != NULL);
    }
    struct world_handout *handout = &world->handouts[world->handout_count++];
    *handout = (struct world_handout){.session = from->session, .handout = from->handout};
    struct msg_handout *message = &handout->handout;
    message->type = text_keep(world, message->type);
    message->namespace_name = text_keep(world, message->namespace_name);
    message->workflow_id = text_keep(world, message->workflow_id);
    message->idempotency_key = text_keep(world, message->idempotency_key);
    message->input = text_keep(world, message->input);
}

/* What a client would see of a decision and what the log would hold, to compare two. */
static void decision_encode(const struct decision *decision, struct buffer *out)
{
    struct entry entry = {.writes = decision->writes, .write_count = decision->write_count};
    entry_encode(&entry, out);
    pack_integer(out, decision->rejection);
    pack_text(out, decision->diag.text);
    pack_value(out, decision->answer);
    for (size_t i = 0; i < decision->handout_count; i++) {
        pack_binary(out, id128_bytes(&decision->handouts[i].session));
        codec_encode(&schema_handout, &decision->handouts[i].handout, out);
    }
    for (size_t i = 0; i < decision->release_count; i++)
        pack_binary(out, id128_bytes(&decision->releases[i].session));
    for (size_t i = 0; i < decision->readied_count; i++)
        pack_string(out, decision->readied[i]);
    for (size_t i = 0; i < decision->closed_count; i++)
        pack_binary(out, id128_bytes(&decision->closed[i]));
    pack_bool(out, decision->has_more);
}

static void decide_with_misses(struct world *world, const struct command *command,
                               struct command_context *context, struct buffer *out)
{
    struct view view = world_view(world);
    struct decision decision;
    enum pawl_error error = PAWL_E_NOT_LOADED;
    context->arena = &world->trial;
    for (world->missed = 8; error == PAWL_E_NOT_LOADED; world->missed -= world->missed > 0) {
        arena_reset(&world->trial);
        error = wf_decide(world->engine, &view, command, context, &decision);
    }
    world->missed = 0;
    assert(error == PAWL_OK);
    decision_encode(&decision, out);
}

static void runs_check(struct world *world, const struct decision *decision)
{
    struct view view = world_view(world);
    for (size_t i = 0; i < decision->write_count; i++) {
        const struct row_write *write = &decision->writes[i];
        struct id128 run;
        if (write->table != TABLE_INSTANCE || write->is_deleted)
            continue;
        memcpy(run.byte, write->key.data, 16);
        wf_check(&view, run);
    }
}

static void adopt(struct world *world, const struct decision *decision)
{
    for (size_t i = 0; i < decision->write_count; i++)
        row_write(world, &decision->writes[i]);
    for (size_t i = 0; i < decision->release_count; i++)
        dispatch_give_back(world->dispatch, decision->releases[i].session);
    for (size_t i = 0; i < decision->handout_count; i++) {
        dispatch_take(world->dispatch, decision->handouts[i].session);
        handout_keep(world, &decision->handouts[i]);
    }
    dispatch_adopt(world->dispatch, &decision->draft);
    if (world->is_checked_inside)
        runs_check(world, decision);
}

const struct decision *world_decide(struct world *world, const struct command *command)
{
    struct view view = world_view(world);
    struct command_context context = {.now_us = world->now_us,
                                      .term = 1,
                                      .index = ++world->index,
                                      .seed = {world->index * 77, world->index * 1001},
                                      .dispatch = world->dispatch};
    struct buffer with_misses = {.limit = 0}, without = {.limit = 0}, after = {.limit = 0};
    if (world->misses_rows)
        decide_with_misses(world, command, &context, &with_misses);
    arena_reset(&world->arena);
    context.arena = &world->arena;
    enum pawl_error error = wf_decide(world->engine, &view, command, &context, &world->decision);
    assert(error == PAWL_OK);
    decision_encode(&world->decision, &without);
    if (world->misses_rows)
        assert(bytes_equal(buffer_bytes(&with_misses), buffer_bytes(&without)));
    adopt(world, &world->decision);
    decision_encode(&world->decision, &after); /* it outlives the rows that it read */
    assert(bytes_equal(buffer_bytes(&after), buffer_bytes(&without)));
    buffer_done(&with_misses);
    buffer_done(&without);
    buffer_done(&after);
    return &world->decision;
}

struct id128 world_run(struct world *world, const char *namespace_name, const char *workflow_id)
{
    struct arena arena = {.limit = 0};
    struct view view = world_view(world);
    const struct changes rows = {.view = &view, .arena = &arena};
    struct id128 run = {{0}};
    enum pawl_error error =
        find_workflow(&rows, bytes_string(namespace_name), bytes_string(workflow_id), &run);
    assert(error == PAWL_OK || error == PAWL_E_NOT_FOUND);
    arena_done(&arena);
    return run;
}
