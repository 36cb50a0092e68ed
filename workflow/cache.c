#include "workflow/cache.h"

#include <stdlib.h>

#include "workflow/decide.h"

struct cached {
    struct definition *definition;
    uint64_t used; /* when, by the engine's count */
};

struct engine {
    struct buffer scratch;
    struct cached *cached;
    size_t cached_count, cached_capacity;
    uint64_t uses;
};

struct engine *engine_new(void)
{
    return calloc(1, sizeof(struct engine));
}

void engine_free(struct engine *engine)
{
    if (engine == NULL)
        return;
    for (size_t i = 0; i < engine->cached_count; i++)
        definition_free(engine->cached[i].definition);
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
    definition_free(engine->cached[oldest].definition);
    engine->cached[oldest] = engine->cached[--engine->cached_count];
}

struct buffer *engine_scratch(struct engine *engine)
{
    buffer_reset(&engine->scratch);
    while (engine->cached_count > DEFINITIONS_CACHED_MAX)
        cache_drop_oldest(engine);
    return &engine->scratch;
}

static bool is_same(const struct definition *definition, struct bytes namespace_name,
                    struct bytes name, struct bytes version, struct bytes value)
{
    return bytes_equal(definition->name, name) && bytes_equal(definition->version, version) &&
           bytes_equal(definition->namespace_name, namespace_name) &&
           bytes_equal(definition->value, value);
}

static enum pawl_error cache_add(struct engine *engine, struct definition *definition)
{
    if (engine->cached_count == engine->cached_capacity) {
        size_t capacity = engine->cached_capacity == 0 ? 16 : engine->cached_capacity * 2;
        struct cached *grown = realloc(engine->cached, capacity * sizeof *grown);
        if (grown == NULL)
            return PAWL_E_NO_MEMORY;
        engine->cached = grown;
        engine->cached_capacity = capacity;
    }
    engine->cached[engine->cached_count++] =
        (struct cached){.definition = definition, .used = ++engine->uses};
    return PAWL_OK;
}

enum pawl_error wf_definition_get(struct engine *engine, struct bytes namespace_name,
                                  struct bytes name, struct bytes version, struct bytes value,
                                  const struct definition **definition_out, struct pawl_diag *diag)
{
    for (size_t i = 0; i < engine->cached_count; i++) {
        struct cached *cached = &engine->cached[i];
        if (!is_same(cached->definition, namespace_name, name, version, value))
            continue;
        cached->used = ++engine->uses;
        *definition_out = cached->definition;
        return PAWL_OK;
    }
    struct definition *definition;
    TRY(definition_load(value, &definition, diag));
    if (cache_add(engine, definition) != PAWL_OK) {
        definition_free(definition);
        return PAWL_E_NO_MEMORY;
    }
    *definition_out = definition;
    return PAWL_OK;
}
