/* A map from a 128-bit key to a pointer; open addressing, grows by doubling. Sessions and
 * connections live in it.
 *
 * Keys may be drawn by strangers and may be counted up: every bit of a key moves every bit of its
 * place, and a secret seed keeps the places from being foreseen. */
#ifndef PAWL_NODE_ID_MAP_H
#define PAWL_NODE_ID_MAP_H

#include "proto/bytes.h"

struct id_map {
    struct id_map_slot {
        struct id128 key;
        void *value; /* NULL: free */
    } * slots;
    size_t slot_count; /* a power of two, or 0 */
    size_t count;
    uint64_t seed; /* set while the map is empty */
};

/* A zeroed map is empty. NULL: not there. */
void *id_map_get(const struct id_map *map, struct id128 key);
/* Add or replace; value is not NULL. False: no memory, which replacing never needs. */
bool id_map_put(struct id_map *map, struct id128 key, void *value);
void id_map_remove(struct id_map *map, struct id128 key);
void id_map_done(struct id_map *map);
/* The most slots that finding one of the keys looks at. */
size_t id_map_reach(const struct id_map *map);
/* A connection number as a key. */
struct id128 id_of_number(uint64_t number);

#endif
