#include "node/store/rows_port.h"

static int compare(const struct row_write *write, unsigned table, struct bytes key)
{
    if (write->table != table)
        return write->table < table ? -1 : 1;
    return bytes_compare(write->key, key);
}

/* The first write at (table, key) or after it. */
static size_t write_place(const struct rows_view *view, unsigned table, struct bytes key)
{
    size_t begin = 0, end = view->write_count;
    while (begin < end) {
        const size_t middle = begin + (end - begin) / 2;
        if (compare(&view->writes[middle], table, key) < 0)
            begin = middle + 1;
        else
            end = middle;
    }
    return begin;
}

static enum pawl_error view_get(void *self, enum row_table table, struct bytes key,
                                struct bytes *value_out)
{
    const struct rows_view *view = self;
    const size_t place = write_place(view, table, key);
    if (place == view->write_count || compare(&view->writes[place], table, key) != 0)
        return view->rows->get(view->rows->self, view->snapshot, table, key, value_out);
    if (view->writes[place].is_deleted)
        return PAWL_E_NOT_FOUND;
    *value_out = view->writes[place].value;
    return PAWL_OK;
}

/* A scan that goes on: rows of the store, a batch at a time, and the writes of the range. */
struct merge {
    const struct rows_view *view;
    enum row_table table;
    bool is_backward;
    struct bytes begin, end; /* what is left to be read of the store */
    size_t first, last;      /* writes that are left: [first, last) */
    struct row *stored;      /* the batch */
    size_t stored_count, at;
    size_t batch_max;
    bool is_store_over;
};

static enum pawl_error merge_read(struct merge *merge)
{
    const struct rows_view *view = merge->view;
    merge->at = 0;
    TRY(view->rows->scan(view->rows->self, view->snapshot, merge->table, merge->begin, merge->end,
                         merge->is_backward, merge->batch_max, merge->stored,
                         &merge->stored_count));
    merge->is_store_over = merge->stored_count < merge->batch_max;
    if (merge->is_store_over)
        return PAWL_OK;
    const struct bytes last_key = merge->stored[merge->stored_count - 1].key;
    if (merge->is_backward) {
        merge->end = last_key;
        return PAWL_OK;
    }
    uint8_t *next = arena_alloc(view->arena, last_key.size + 1); /* the smallest key above it */
    if (next == NULL)
        return PAWL_E_NO_MEMORY;
    memcpy(next, last_key.data, last_key.size);
    merge->begin = bytes_of(next, last_key.size + 1);
    return PAWL_OK;
}

/* Below 0: a row of the store is next; 0: a write is, in its place; above 0: a new write is. */
static int merge_order(const struct merge *merge, const struct row_write *write)
{
    if (write == NULL)
        return -1;
    if (merge->at == merge->stored_count)
        return 1;
    const int order = bytes_compare(merge->stored[merge->at].key, write->key);
    return merge->is_backward ? -order : order;
}

/* The next row of the batch or of the writes, or none: a deletion. */
static bool merge_next(struct merge *merge, struct row *row_out)
{
    const struct row_write *write = NULL;
    if (merge->first < merge->last)
        write = &merge->view->writes[merge->is_backward ? merge->last - 1 : merge->first];
    const int order = merge_order(merge, write);
    if (order < 0) {
        *row_out = merge->stored[merge->at++];
        return true;
    }
    merge->at += order == 0;
    merge->first += !merge->is_backward;
    merge->last -= merge->is_backward;
    *row_out = (struct row){write->key, write->value};
    return !write->is_deleted;
}

static enum pawl_error merge_rows(struct merge *merge, size_t row_max, struct row *rows_out,
                                  size_t *count_out)
{
    size_t count = 0;
    while (count < row_max) {
        if (merge->at == merge->stored_count && !merge->is_store_over)
            TRY(merge_read(merge));
        if (merge->at == merge->stored_count && merge->first == merge->last)
            break;
        count += merge_next(merge, &rows_out[count]);
    }
    *count_out = count;
    return PAWL_OK;
}

static enum pawl_error scan(const struct rows_view *view, enum row_table table, struct bytes begin,
                            struct bytes end, bool is_backward, size_t row_max,
                            struct row *rows_out, size_t *count_out)
{
    const struct bytes none = {NULL, 0};
    struct merge merge = {.view = view,
                          .table = table,
                          .is_backward = is_backward,
                          .begin = begin,
                          .end = end,
                          .first = write_place(view, table, begin),
                          .last = end.size > 0 ? write_place(view, table, end)
                                               : write_place(view, table + 1u, none),
                          .batch_max = row_max};
    if (merge.first >= merge.last)
        return view->rows->scan(view->rows->self, view->snapshot, table, begin, end, is_backward,
                                row_max, rows_out, count_out);
    merge.stored = arena_array(view->arena, row_max, sizeof *merge.stored);
    if (merge.stored == NULL && row_max > 0)
        return PAWL_E_NO_MEMORY;
    return merge_rows(&merge, row_max, rows_out, count_out);
}

static enum pawl_error view_scan(void *self, enum row_table table, struct bytes begin,
                                 struct bytes end, size_t row_max, struct row *rows_out,
                                 size_t *count_out)
{
    return scan(self, table, begin, end, false, row_max, rows_out, count_out);
}

static enum pawl_error view_scan_back(void *self, enum row_table table, struct bytes begin,
                                      struct bytes end, size_t row_max, struct row *rows_out,
                                      size_t *count_out)
{
    return scan(self, table, begin, end, true, row_max, rows_out, count_out);
}

struct view rows_view_of(struct rows_view *view)
{
    return (struct view){
        .self = view, .get = view_get, .scan = view_scan, .scan_back = view_scan_back};
}
