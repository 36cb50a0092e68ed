#include "workflow/cache.h"

#include <stdlib.h>

#include "workflow/decide.h"

struct cached {
    struct definition *definition;
    uint8_t *row; /* that it was compiled from */
    size_t row_bytes;
    uint64_t used; /* when, by the engine's count */
};

struct engine {
    struct buffer scratch;
    struct cached *cached;
    size_t cached_count, cached_capacity;
    size_t cached_bytes;
    uint64_t uses;
};

static size_t bytes_of_cached(const struct cached *cached)
{
    return cached->row_bytes + cached->definition->arena.used;
}

static void cached_free(struct cached *cached)
{
    definition_free(cached->definition);
    free(cached->row);
}

struct engine *engine_new(void)
{
    return calloc(1, sizeof(struct engine));
}

void engine_free(struct engine *engine)
{
    if (engine == NULL)
        return;
    for (size_t i = 0; i < engine->cached_count; i++)
        cached_free(&engine->cached[i]);
    free(engine->cached);
    buffer_done(&engine->scratch);
    free(engine);
}

static void cache_drop_oldest(struct engine *engine)
{
    size_t oldest = 0;
    for (size_t i = 1; i < engine->cached_count; i++)
        if (engine->cached[i].used < engine->cached[oldest].used)
            oldest = i;
    engine->cached_bytes -= bytes_of_cached(&engine->cached[oldest]);
    cached_free(&engine->cached[oldest]);
    engine->cached[oldest] = engine->cached[--engine->cached_count];
}

struct buffer *engine_scratch(struct engine *engine)
{
    buffer_reset(&engine->scratch);
    while (engine->cached_count > DEFINITIONS_CACHED_MAX ||
           (engine->cached_count > 1 && engine->cached_bytes > DEFINITIONS_CACHED_BYTES_MAX))
        cache_drop_oldest(engine);
    return &engine->scratch;
}

/* What is cached of a row, NULL: nothing. */
static struct cached *cached_find(const struct engine *engine, struct bytes row)
{
    for (size_t i = 0; i < engine->cached_count; i++) {
        struct cached *cached = &engine->cached[i];
        if (bytes_equal(bytes_of(cached->row, cached->row_bytes), row))
            return cached;
    }
    return NULL;
}

static bool cache_grow(struct engine *engine)
{
    if (engine->cached_count < engine->cached_capacity)
        return true;
    size_t capacity = engine->cached_capacity == 0 ? 16 : engine->cached_capacity * 2;
    struct cached *grown = realloc(engine->cached, capacity * sizeof *grown);
    if (grown == NULL)
        return false;
    engine->cached = grown;
    engine->cached_capacity = capacity;
    return true;
}

/* A copy of the row, and the definition compiled from it. */
static enum pawl_error cached_make(struct bytes row, struct bytes document,
                                   struct cached *cached_out, struct pawl_diag *diag)
{
    struct cached cached = {.row_bytes = row.size};
    TRY(definition_load(document, &cached.definition, diag));
    cached.row = malloc(row.size + 1);
    if (cached.row == NULL) {
        definition_free(cached.definition);
        return PAWL_E_NO_MEMORY;
    }
    memcpy(cached.row, row.data, row.size);
    *cached_out = cached;
    return PAWL_OK;
}

static enum pawl_error cache_add(struct engine *engine, struct bytes row, struct arena *arena,
                                 struct cached **cached_out, struct pawl_diag *diag)
{
    struct definition_row decoded;
    TRY(codec_decode(&schema_definition_row, row, arena, &decoded, diag));
    if (!cache_grow(engine))
        return PAWL_E_NO_MEMORY;
    struct cached *cached = &engine->cached[engine->cached_count];
    TRY(cached_make(row, decoded.value, cached, diag));
    engine->cached_count++;
    engine->cached_bytes += bytes_of_cached(cached);
    *cached_out = cached;
    return PAWL_OK;
}

enum pawl_error wf_definition_get(struct engine *engine, const struct changes *rows,
                                  const struct instance *run,
                                  const struct definition **definition_out, struct pawl_diag *diag)
{
    struct bytes row;
    TRY(changes_get(rows, TABLE_DEFINITION,
                    key_definition(rows->arena, run->namespace_name, run->definition, run->version),
                    &row));
    struct cached *cached = cached_find(engine, row);
    if (cached == NULL)
        TRY(cache_add(engine, row, rows->arena, &cached, diag));
    cached->used = ++engine->uses;
    *definition_out = cached->definition;
    return PAWL_OK;
}
