#include "workflow/find.h"

enum pawl_error find_instance(const struct changes *rows, struct id128 run,
                              struct instance *row_out)
{
    struct bytes value;
    TRY(changes_get(rows, TABLE_INSTANCE, key_run(rows->arena, run), &value));
    return instance_read(value, rows->arena, row_out);
}

enum pawl_error find_ending(const struct changes *rows, struct id128 run, struct ending *ending_out)
{
    return changes_get_row(rows, TABLE_INSTANCE, key_run(rows->arena, run), &schema_ending,
                           ending_out);
}

/* A run that was started without a workflow id has its request's for one. */
static enum pawl_error find_unnamed(const struct changes *rows, struct bytes namespace_name,
                                    struct bytes workflow_id, struct id128 *run_out)
{
    char text[37];
    struct id128 request;
    struct request_row row;
    if (!id128_parse(workflow_id, &request))
        return PAWL_E_NOT_FOUND;
    id128_format(request, text);
    if (!bytes_equal(bytes_of(text, 36), workflow_id))
        return PAWL_E_NOT_FOUND;
    TRY(changes_get_row(rows, TABLE_REQUEST, key_run(rows->arena, request), &schema_request_row,
                        &row));
    if (!bytes_equal(row.namespace_name, namespace_name))
        return PAWL_E_NOT_FOUND;
    *run_out = row.run;
    return PAWL_OK;
}

enum pawl_error find_named(const struct changes *rows, struct bytes namespace_name,
                           struct bytes workflow_id, struct id128 *run_out)
{
    struct workflow_row row;
    TRY(changes_get_row(rows, TABLE_WORKFLOW, key_name(rows->arena, namespace_name, workflow_id),
                        &schema_workflow_row, &row));
    *run_out = row.run;
    return PAWL_OK;
}

enum pawl_error find_workflow(const struct changes *rows, struct bytes namespace_name,
                              struct bytes workflow_id, struct id128 *run_out)
{
    enum pawl_error error = find_named(rows, namespace_name, workflow_id, run_out);
    if (error != PAWL_E_NOT_FOUND)
        return error;
    return find_unnamed(rows, namespace_name, workflow_id, run_out);
}
