#include "workflow/definition.h"

#include <stdlib.h>

#include "workflow/compile.h"

void definition_free(struct definition *definition)
{
    if (definition == NULL)
        return;
    arena_done(&definition->arena);
    free(definition);
}

/* Compile the document in value; places may be NULL. */
static enum pawl_error definition_compile(struct bytes value, const struct yaml_places *places,
                                          struct definition *definition, struct pawl_diag *diag)
{
    struct compile *compile = ARENA_NEW(&definition->arena, struct compile);
    definition->value = arena_copy(&definition->arena, value);
    if (compile == NULL || definition->value.data == NULL)
        return PAWL_E_NO_MEMORY;
    *compile = (struct compile){
        .definition = definition,
        .arena = &definition->arena,
        .document = definition->value,
        .places = places,
        .diag = diag,
    };
    return compile_document(compile);
}

static enum pawl_error definition_make(struct bytes value, const struct yaml_places *places,
                                       struct definition **definition_out, struct pawl_diag *diag)
{
    struct definition *definition = calloc(1, sizeof *definition);
    if (definition == NULL)
        return PAWL_E_NO_MEMORY;
    definition->arena.limit = DEFINITION_COMPILED_MAX;
    enum pawl_error error = definition_compile(value, places, definition, diag);
    if (error != PAWL_OK && definition->arena.is_past_limit)
        error = diag_fail(diag, PAWL_E_LIMIT,
                          "the definition takes too much memory; fewer or smaller expressions "
                          "take less");
    if (error != PAWL_OK) {
        definition_free(definition);
        return error;
    }
    *definition_out = definition;
    return PAWL_OK;
}

static const struct value_limits limits = {
    .bytes_max = DEFINITION_BYTES_MAX,
    .depth_max = VALUE_DEPTH_MAX,
    .nodes_max = VALUE_NODES_MAX,
};

enum pawl_error definition_read(struct bytes source, struct definition **definition_out,
                                struct pawl_diag *diag)
{
    if (source.size > DEFINITION_BYTES_MAX)
        return diag_fail(diag, PAWL_E_LIMIT, "a definition can have at most %zu bytes",
                         DEFINITION_BYTES_MAX);
    if (source.size == 0)
        return diag_fail(diag, PAWL_E_INVALID, "the definition is empty");
    struct arena work = {.limit = 0};
    struct buffer value = {.limit = 0};
    struct yaml_places places = {.count = 0};
    enum pawl_error error = yaml_read(source, &limits, &work, &value, &places, diag);
    if (error == PAWL_OK)
        error = definition_make(buffer_bytes(&value), &places, definition_out, diag);
    buffer_done(&value);
    arena_done(&work);
    return error;
}

enum pawl_error definition_load(struct bytes value, struct definition **definition_out,
                                struct pawl_diag *diag)
{
    TRY(value_check(value, &limits, diag));
    return definition_make(value, NULL, definition_out, diag);
}

struct bytes definition_namespace(const struct definition *definition)
{
    return definition->namespace_name;
}

struct bytes definition_name(const struct definition *definition)
{
    return definition->name;
}

struct bytes definition_version(const struct definition *definition)
{
    return definition->version;
}

struct bytes definition_value(const struct definition *definition)
{
    return definition->value;
}

const struct definition_warning *definition_warnings(const struct definition *definition,
                                                     size_t *count_out)
{
    *count_out = definition->warning_count;
    return definition->warnings;
}
