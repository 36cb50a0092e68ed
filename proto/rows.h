/* Rows: a partition's state is (table, key) -> value. The tables, and the order in which their keys
 * sort.
 *
 * 1. Keys are bytes that sort as memcmp does: integers big-endian, names ended by a NUL.
 * 2. A table's number and the shape of its keys and rows never change; a new shape is a new table
 * or a new field of the row's schema.
 */
#ifndef PAWL_PROTO_ROWS_H
#define PAWL_PROTO_ROWS_H

#include "proto/bytes.h"
#include "proto/error.h"

enum row_table {
    TABLE_META = 0,       /* name -> value: what the partition knows of itself */
    TABLE_DEFINITION = 1, /* namespace NUL name NUL version -> definition */
    TABLE_LATEST = 2,     /* namespace NUL name -> newest version */
    TABLE_INSTANCE = 3,   /* run -> header: status, position, counters */
    TABLE_WORKFLOW = 4,   /* namespace NUL workflow id -> newest run */
    TABLE_VALUE = 5,      /* run, value number -> one payload */
    TABLE_STEP = 6, /* run, step number -> a step that has ended: attempt, fence, last report */
    TABLE_READY =
        7, /* type NUL limit key NUL priority due run step -> nothing: waits for a worker */
    TABLE_HANDOUT = 8,       /* session, fence -> run, step: is out */
    TABLE_TIMER = 9,         /* due, run, number -> what to do then */
    TABLE_COMPENSATION = 10, /* run, sequence -> call and arguments to undo a step */
    TABLE_REQUEST = 11,      /* request id -> what answers it again */
    TABLE_JOURNAL = 12,      /* log index, ordinal -> events of a run: history and audit */
    TABLE_INCIDENT = 13,     /* run, number -> what a person must resolve */
};
enum { TABLE_COUNT = 14 };

#define ROW_KEY_BYTES_MAX 480 /* LMDB takes 511 with the table's byte */

/* One change of one row. An absent value (is_deleted) removes it. */
struct row_write {
    uint8_t table; /* enum row_table */
    bool is_deleted;
    bool is_new; /* it is known that there was no such row before */
    struct bytes key;
    struct bytes value;
};

/* One row as read. */
struct row {
    struct bytes key;
    struct bytes value;
};

/* How decisions and queries see rows; they see nothing else. */
struct view {
    void *self;
    /* The row's value, alive while the command lives. PAWL_E_NOT_FOUND: there is no such row.
     * PAWL_E_NOT_LOADED: memory does not hold it; the view has noted what is missing. */
    enum pawl_error (*get)(void *self, enum row_table table, struct bytes key,
                           struct bytes *value_out);
    /* Rows with begin <= key < end (end.size 0: the table's end), ascending, at most row_max into
     * rows_out (row_max slots). Fewer than row_max: there are no more. PAWL_E_NOT_LOADED as above.
     */
    enum pawl_error (*scan)(void *self, enum row_table table, struct bytes begin, struct bytes end,
                            size_t row_max, struct row *rows_out, size_t *count_out);
    /* As scan, with the largest keys first; only for queries over a snapshot (may be NULL
     * elsewhere). */
    enum pawl_error (*scan_back)(void *self, enum row_table table, struct bytes begin,
                                 struct bytes end, size_t row_max, struct row *rows_out,
                                 size_t *count_out);
};

#endif
