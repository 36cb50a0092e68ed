#include "node/store/rows_port.h"

static enum pawl_error view_get(void *self, enum row_table table, struct bytes key,
                                struct bytes *value_out)
{
    const struct rows_view *view = self;
    return view->rows->get(view->rows->self, view->snapshot, table, key, value_out);
}

static enum pawl_error view_scan(void *self, enum row_table table, struct bytes begin,
                                 struct bytes end, size_t row_max, struct row *rows_out,
                                 size_t *count_out)
{
    const struct rows_view *view = self;
    return view->rows->scan(view->rows->self, view->snapshot, table, begin, end, false, row_max,
                            rows_out, count_out);
}

static enum pawl_error view_scan_back(void *self, enum row_table table, struct bytes begin,
                                      struct bytes end, size_t row_max, struct row *rows_out,
                                      size_t *count_out)
{
    const struct rows_view *view = self;
    return view->rows->scan(view->rows->self, view->snapshot, table, begin, end, true, row_max,
                            rows_out, count_out);
}

struct view rows_view_of(struct rows_view *view)
{
    return (struct view){
        .self = view, .get = view_get, .scan = view_scan, .scan_back = view_scan_back};
}
