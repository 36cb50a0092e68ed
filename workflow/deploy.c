/* Deploying a definition. A version never changes once it is there; deploying the same document
 * again is no change. */
#include "workflow/decide.h"

#include "workflow/version.h"

static enum pawl_error answer_make(struct decide *decide, const struct definition *definition,
                                   bool is_existing)
{
    struct buffer *buffer = decide->scratch;
    size_t begin = buffer->size, count;
    const struct definition_warning *warnings = definition_warnings(definition, &count);
    pack_map(buffer, 5);
    pack_text(buffer, "namespace");
    pack_string(buffer, definition->namespace_name);
    pack_text(buffer, "name");
    pack_string(buffer, definition->name);
    pack_text(buffer, "version");
    pack_string(buffer, definition->version);
    pack_text(buffer, "existing");
    pack_bool(buffer, is_existing);
    pack_text(buffer, "warnings");
    pack_array(buffer, (uint32_t)count);
    for (size_t i = 0; i < count; i++) {
        pack_map(buffer, 3);
        pack_text(buffer, "line");
        pack_integer(buffer, warnings[i].diag.line);
        pack_text(buffer, "column");
        pack_integer(buffer, warnings[i].diag.column);
        pack_text(buffer, "text");
        pack_text(buffer, warnings[i].diag.text);
    }
    return wf_scratch_take(decide, begin, &decide->decision->answer);
}

static enum pawl_error definition_put(struct decide *decide, const struct definition *definition)
{
    struct definition_row row = {.value = definition->value,
                                 .deployed_us = decide->context->now_us};
    TRY(changes_put_row(&decide->changes, TABLE_DEFINITION,
                        key_definition(decide->arena, definition->namespace_name, definition->name,
                                       definition->version),
                        &schema_definition_row, &row, true));
    struct journal_event event = {
        .kind = EV_DEFINITION_DEPLOYED,
        .detail = wf_text(decide, "%.*s/%.*s %.*s", (int)definition->namespace_name.size,
                          (const char *)definition->namespace_name.data, (int)definition->name.size,
                          (const char *)definition->name.data, (int)definition->version.size,
                          (const char *)definition->version.data)};
    return wf_journal_cluster(decide, &event);
}

/* The newest version is the highest one, whenever it came. */
static enum pawl_error latest_put(struct decide *decide, const struct definition *definition)
{
    struct bytes key = key_name(decide->arena, definition->namespace_name, definition->name);
    struct bytes latest;
    enum pawl_error error = changes_get(&decide->changes, TABLE_LATEST, key, &latest);
    if (error == PAWL_OK && version_compare(latest, definition->version) >= 0)
        return PAWL_OK;
    if (error != PAWL_OK && error != PAWL_E_NOT_FOUND)
        return error;
    struct bytes version = arena_copy(decide->arena, definition->version);
    if (version.data == NULL)
        return PAWL_E_NO_MEMORY;
    return changes_put(&decide->changes, TABLE_LATEST, key, version);
}

static enum pawl_error deploy_new(struct decide *decide, const struct definition *definition)
{
    struct definition_row row;
    struct bytes key = key_definition(decide->arena, definition->namespace_name, definition->name,
                                      definition->version);
    enum pawl_error error =
        changes_get_row(&decide->changes, TABLE_DEFINITION, key, &schema_definition_row, &row);
    if (error != PAWL_OK && error != PAWL_E_NOT_FOUND)
        return error;
    bool is_existing = error == PAWL_OK;
    if (is_existing && !bytes_equal(row.value, definition->value))
        return diag_fail(
            &decide->decision->diag, PAWL_E_EXISTS,
            "version %.*s of '%.*s' is deployed with another content; raise the version",
            (int)definition->version.size, (const char *)definition->version.data,
            (int)definition->name.size, (const char *)definition->name.data);
    TRY(latest_put(decide, definition));
    if (!is_existing)
        TRY(definition_put(decide, definition));
    TRY(answer_make(decide, definition, is_existing));
    struct request_row request = {.answer = decide->decision->answer};
    TRY(wf_request_keep(decide, &request));
    return wf_request_expire(decide, decide->command->request);
}

enum pawl_error wf_deploy(struct decide *decide)
{
    struct definition *definition;
    struct request_row request;
    bool is_answered;
    TRY(wf_request_find(decide, &request, &is_answered));
    if (is_answered) {
        decide->decision->answer = arena_copy(decide->arena, request.answer);
        return decide->decision->answer.data == NULL ? PAWL_E_NO_MEMORY : PAWL_OK;
    }
    TRY(definition_read(decide->command->deploy.source, &definition, &decide->decision->diag));
    enum pawl_error error = deploy_new(decide, definition);
    definition_free(definition);
    return error;
}
