/* The net change of a run of entries: what a store that has everything before them lacks after
 * them. The same on every node, from the entries alone.
 *
 * 1. Of each row the newest write, ascending by (table, key).
 * 2. A row that is born and dies among the entries is left out: its first write says that there was
 *    none before, its last that there is none any more.
 * 3. A write of the result is_new when the row's first write was.
 */
#ifndef PAWL_NODE_NET_CHANGE_H
#define PAWL_NODE_NET_CHANGE_H

#include "proto/arena.h"
#include "proto/peer_messages.h"

/* entries: in the order of the log. Keys and values stay views into them; the array is the arena's.
 * hash_seed decides nothing that can be seen. PAWL_E_NO_MEMORY. */
MUST_USE enum pawl_error net_change_of(const struct entry *entries, size_t entry_count,
                                       uint64_t hash_seed, struct arena *arena,
                                       struct row_write **writes_out, size_t *write_count_out);

#endif
