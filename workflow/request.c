/* Requests: a request id is answered once; asked again, it gets the same answer for as long as that
 * is kept. */
#include "workflow/decide.h"

enum pawl_error wf_request_find(struct decide *decide, struct request_row *row_out,
                                bool *is_known_out)
{
    const struct command *command = decide->command;
    *is_known_out = false;
    if (id128_is_none(command->request))
        return diag_fail(&decide->decision->diag, PAWL_E_INVALID, "the request has no request id");
    enum pawl_error error =
        changes_get_row(&decide->changes, TABLE_REQUEST, key_run(decide->arena, command->request),
                        &schema_request_row, row_out);
    if (error == PAWL_E_NOT_FOUND || WF_MUTANT(REQUEST_FORGOTTEN))
        return error == PAWL_E_NOT_FOUND ? PAWL_OK : error;
    TRY(error);
    if (row_out->kind != command->kind)
        return diag_fail(&decide->decision->diag, PAWL_E_CONFLICT,
                         "the request id was used for another kind of request");
    *is_known_out = true;
    return PAWL_OK;
}

enum pawl_error wf_request_keep(struct decide *decide, struct request_row *row)
{
    row->kind = (uint8_t)decide->command->kind;
    return changes_put_row(&decide->changes, TABLE_REQUEST,
                           key_run(decide->arena, decide->command->request), &schema_request_row,
                           row, !WF_MUTANT(REQUEST_FORGOTTEN));
}
