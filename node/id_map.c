#include "node/id_map.h"

#include <stdlib.h>

static size_t slot_of(const struct id_map *map, struct id128 key)
{
    uint64_t hash =
        (le64_get(key.byte) ^ le64_get(key.byte + 8) * 0x9e3779b97f4a7c15u) * 0xff51afd7ed558ccdu;
    return (size_t)(hash ^ hash >> 32) & (map->slot_count - 1);
}

/* The slot that holds key, or the free one where it belongs. */
static struct id_map_slot *find(const struct id_map *map, struct id128 key)
{
    size_t at = slot_of(map, key);
    while (map->slots[at].value != NULL && !id128_equal(map->slots[at].key, key))
        at = (at + 1) & (map->slot_count - 1);
    return &map->slots[at];
}

void *id_map_get(const struct id_map *map, struct id128 key)
{
    return map->slot_count == 0 ? NULL : find(map, key)->value;
}

static bool grow(struct id_map *map)
{
    struct id_map bigger = {.slot_count = map->slot_count == 0 ? 16 : map->slot_count * 2};
    bigger.slots = calloc(bigger.slot_count, sizeof *bigger.slots);
    if (bigger.slots == NULL)
        return false;
    for (size_t i = 0; i < map->slot_count; i++)
        if (map->slots[i].value != NULL)
            *find(&bigger, map->slots[i].key) = map->slots[i];
    bigger.count = map->count;
    free(map->slots);
    *map = bigger;
    return true;
}

bool id_map_put(struct id_map *map, struct id128 key, void *value)
{
    if ((map->count + 1) * 3 > map->slot_count * 2 && !grow(map))
        return false;
    struct id_map_slot *slot = find(map, key);
    if (slot->value == NULL)
        map->count++;
    *slot = (struct id_map_slot){.key = key, .value = value};
    return true;
}

void id_map_remove(struct id_map *map, struct id128 key)
{
    if (map->slot_count == 0)
        return;
    struct id_map_slot *slot = find(map, key);
    if (slot->value == NULL)
        return;
    slot->value = NULL;
    map->count--;
    /* Close the gap: what follows may have been pushed past it. */
    size_t at = (size_t)(slot - map->slots);
    for (at = (at + 1) & (map->slot_count - 1); map->slots[at].value != NULL;
         at = (at + 1) & (map->slot_count - 1)) {
        struct id_map_slot moved = map->slots[at];
        map->slots[at].value = NULL;
        *find(map, moved.key) = moved;
    }
}

void id_map_done(struct id_map *map)
{
    free(map->slots);
    *map = (struct id_map){0};
}

struct id128 id_of_number(uint64_t number)
{
    struct id128 id = {0};
    be64_put(id.byte + 8, number);
    return id;
}
