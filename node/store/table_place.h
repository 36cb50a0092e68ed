/* Where the rows of a table are looked for: the one place that says what memory does for each.
 *
 * A decision gets rows by their keys and scans a few tables; what it never asks need not be kept.
 */
#ifndef PAWL_NODE_TABLE_PLACE_H
#define PAWL_NODE_TABLE_PLACE_H

#include "proto/rows.h"

enum table_place {
    PLACE_STORE,  /* only in the store: no decision reads it. Its keys rise, each is written once */
    PLACE_BY_KEY, /* in memory, found by its whole key; an absence is loaded like a row */
    PLACE_IN_ORDER, /* in memory, in the order of its keys: scanned, or often asked for what is not
                       there */
};

static inline enum table_place table_place(enum row_table table)
{
    switch (table) {
    case TABLE_JOURNAL:
        return PLACE_STORE;
    case TABLE_DEFINITION:
    case TABLE_INSTANCE:
    case TABLE_VALUE:
    case TABLE_STEP:
    case TABLE_COMPENSATION:
    case TABLE_INCIDENT:
        return PLACE_BY_KEY;
    case TABLE_META:
    case TABLE_LATEST:
    case TABLE_WORKFLOW:
    case TABLE_READY:
    case TABLE_HANDOUT:
    case TABLE_TIMER:
    case TABLE_REQUEST:
        return PLACE_IN_ORDER;
    }
    return PLACE_IN_ORDER;
}

#endif
